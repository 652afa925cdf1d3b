"""The bus carries hints between processes over each transport, and comes back when its connection is lost."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

import pytest
from broadcaster._backends.memory import MemoryBackend
from sqlalchemy import text

from app.clock import Clock
from app.db.engine import Database, Session, connect
from app.db.outbox import HintTransport
from app.db.unit_of_work import transact
from app.ids import uuid7
from app.live import CHANNEL, Bus, Hint
from app.live.hints import HEARTBEAT
from app.live.transports import connected
from tests.live.transports import Process, Transport, Wire, postgres_transport, redis_transport, running

_A_WORKSPACE = uuid7()


def _hint(version: int = 1) -> Hint:
    return Hint("usage", _A_WORKSPACE, uuid7(), version)


@pytest.fixture(params=["postgres", "redis"])
def transport(request: pytest.FixtureRequest) -> Transport:
    if request.param == "postgres":
        return postgres_transport(request.getfixturevalue("postgres_url"))
    return redis_transport(request.getfixturevalue("redis_url"))


async def test_a_hint_reaches_every_process(transport: Transport) -> None:
    one, other = Process(transport.url), Process(transport.url)
    hint = _hint()

    async with running(one, other):
        await one.bus.publish([hint])

        await one.heard(hint)
        await other.heard(hint)


async def test_within_one_process_memory_is_enough() -> None:
    process, hint = Process("memory://"), _hint()

    async with running(process):
        await process.bus.publish([hint])

        await process.heard(hint)


async def test_concurrent_publishes_all_arrive(transport: Transport) -> None:
    one, other = Process(transport.url), Process(transport.url)
    hints = [_hint() for _ in range(300)]

    async with running(one, other):
        await asyncio.gather(*((one if n % 2 else other).bus.publish([hint]) for n, hint in enumerate(hints)))

        await one.heard(*hints)
        await other.heard(*hints)


async def test_more_hints_than_one_payload_holds_arrive(transport: Transport) -> None:
    process = Process(transport.url)
    hints = [_hint() for _ in range(500)]

    async with running(process):
        await process.bus.publish(hints)

        await process.heard(*hints)


async def test_a_malformed_payload_does_not_stop_the_listener(transport: Transport) -> None:
    process, hint = Process(transport.url), _hint()

    async with running(process):
        for payload in ("", "not json", '[["usage"]]', "é" * 3_000):
            await transport.send(payload)
        await process.bus.publish([hint])

        await process.heard(hint)
    assert process.times_listening == 1


async def test_a_lost_connection_is_replaced_and_its_listener_told(transport: Transport) -> None:
    process, hint = Process(transport.url), _hint()

    async with running(process):
        await transport.cut()
        await process.listens(times=2)

        await process.bus.publish([hint])
        await process.heard(hint)


async def test_a_hint_is_heard_or_listening_begins_anew_after_it(transport: Transport) -> None:
    process = Process(transport.url)
    published: list[tuple[Hint, int]] = []

    async with running(process):
        for number in range(100):
            if number % 25 == 10:
                await transport.cut()
            published.append((_hint(), process.times_listening))
            await process.bus.publish([published[-1][0]])
        last = _hint()
        while last not in process.hints:
            await process.bus.publish([last])
            await asyncio.sleep(0.02)

    assert process.times_listening > 1
    for hint, times_listening in published:
        assert hint in process.hints or process.times_listening > times_listening


async def test_hints_that_the_transport_refused_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process("memory://")
    hints = [_hint() for _ in range(200)]
    publish = MemoryBackend.publish
    attempts = 0

    async def fail_the_second_time(self: MemoryBackend, channel: str, message: str) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            raise ConnectionResetError
        await publish(self, channel, message)

    monkeypatch.setattr(MemoryBackend, "publish", fail_the_second_time)
    async with running(process):
        await process.bus.publish(hints)
        await process.heard(*hints)

    assert process.times_listening == 2


async def test_what_was_published_is_sent_before_closing(transport: Transport) -> None:
    listener, leaver = Process(transport.url), Process(transport.url)
    hint = _hint()

    async with running(listener):
        await leaver.start()
        await leaver.bus.publish([hint])
        await leaver.bus.aclose()

        await listener.heard(hint)
    assert not leaver.bus.listening


async def test_a_connection_that_falls_silent_is_replaced(redis_url: str) -> None:
    server = urlsplit(redis_url)
    wire = Wire(server.hostname or "", server.port or 0)
    hint = _hint()

    async with wire.open() as port:
        process = Process(f"redis://127.0.0.1:{port}/0", silence_seconds=0.2, answer_seconds=0.2)
        async with running(process):
            wire.go_silent()
            await process.listens(times=2)

            await process.bus.publish([hint])
            await process.heard(hint)


async def test_a_quiet_connection_is_kept_by_a_heartbeat(transport: Transport) -> None:
    process = Process(transport.url, silence_seconds=0.02)

    async with connected(transport.url) as (_, events), running(process):
        messages = [(await events.get()).message for _ in range(3)]

    assert messages == [HEARTBEAT] * 3
    assert process.times_listening == 1


async def test_it_starts_without_its_server_and_sends_what_waits_when_it_finds_it(redis_url: str) -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    server = urlsplit(redis_url)
    process, hint = Process(f"redis://127.0.0.1:{port}/0"), _hint()

    async with running(process):
        assert not process.bus.listening
        await process.bus.publish([hint])
        async with Wire(server.hostname or "", server.port or 0).open(port):
            await process.heard(hint)


async def test_closing_while_nothing_answers_does_not_wait() -> None:
    process = Process("redis://127.0.0.1:1/0")

    async with running(process):
        await process.bus.publish([_hint()])

    assert process.times_listening == 0


async def test_what_waits_during_an_outage_is_bounded() -> None:
    process = Process("memory://")
    hints = [_hint() for _ in range(12_000)]
    await process.bus.publish(hints)

    async with running(process):
        await process.heard(*hints[:10_000])

    assert len(process.hints) == 10_000


def test_an_unknown_transport_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="begins with redis://"):
        Bus("kafka://127.0.0.1")


async def test_a_bus_is_started_once() -> None:
    process = Process("memory://")

    async with running(process):
        with pytest.raises(RuntimeError):
            await process.start()


async def _change(database: Database, *, fail: bool) -> Hint:
    """A unit of work that hints at a change."""
    hint = _hint()

    async def work(session: Session) -> None:
        await session.execute(text("SELECT 1"))
        session.outbox.hint(hint.topic, hint.workspace_id, hint.object_id, hint.version)
        if fail:
            raise InterruptedError

    await transact(database, work)
    return hint


async def test_a_unit_of_work_hints_when_it_commits_and_only_then(postgres_url: str, transport: Transport) -> None:
    process = Process(transport.url)
    hints: HintTransport = process.bus
    database = Database(connect(postgres_url), Clock(), hints)

    async with running(process):
        with pytest.raises(InterruptedError):
            await _change(database, fail=True)
        hint = await _change(database, fail=False)
        await process.heard(hint)

    await database.close()
    assert process.hints == {hint}


def test_only_postgres_hints_inside_the_transaction() -> None:
    channels = [Bus(url).transactional_channel for url in ("postgresql:///x", "redis://127.0.0.1", "memory://")]

    assert channels == [CHANNEL, None, None]
