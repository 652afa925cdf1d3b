"""Real processes' worth of hubs on a real database: whatever is cut, every subscriber ends on the final version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.clock import Clock
from app.db.engine import Database, Session, connect
from app.db.unit_of_work import transact
from app.errors import ProtocolError
from app.ids import uuid7
from app.live import Bus, Hub, Topic
from tests.live.doubles import TOPIC, State, Watcher
from tests.live.transports import NEVER_SECONDS, Transport, postgres_transport, redis_transport


class Counters:
    """A table of versions; each change is a unit of work that hints."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.workspace_id = uuid7()
        self.reads = 0

    async def create(self, count: int) -> list[UUID]:
        async def work(session: Session) -> list[UUID]:
            await session.execute(text("CREATE TABLE counters (id uuid PRIMARY KEY, version bigint NOT NULL)"))
            ids = [uuid7() for _ in range(count)]
            await session.execute(text("INSERT INTO counters SELECT unnest(CAST(:ids AS uuid[])), 1"), {"ids": ids})
            return ids

        return await transact(self.database, work)

    async def change(self, object_id: UUID) -> int:
        async def work(session: Session) -> int:
            raised = text("UPDATE counters SET version = version + 1 WHERE id = :id RETURNING version")
            version = (await session.execute(raised, {"id": object_id})).scalar_one()
            session.outbox.hint(TOPIC, self.workspace_id, object_id, version)
            return version

        return await transact(self.database, work)

    async def read(self, workspace_id: UUID, object_ids: frozenset[UUID] | None) -> Sequence[State]:
        self.reads += 1
        assert workspace_id == self.workspace_id
        assert object_ids is not None
        chosen = text("SELECT id, version FROM counters WHERE id = ANY(:ids)")
        async with self.database.read() as session:
            return [State(*row) for row in await session.execute(chosen, {"ids": list(object_ids)})]


async def _nobody_refused(_workspace_id: UUID, _callers: Collection[str]) -> Mapping[str, ProtocolError]:
    """Everyone may watch."""
    return {}


@pytest.fixture(params=["postgres", "redis"])
def transport(request: pytest.FixtureRequest, postgres_url: str) -> Transport:
    if request.param == "postgres":
        return postgres_transport(postgres_url)
    return redis_transport(request.getfixturevalue("redis_url"))


@asynccontextmanager
async def _counters(url: str, bus: Bus) -> AsyncGenerator[Counters]:
    database = Database(connect(url), Clock(), bus)
    try:
        yield Counters(database)
    finally:
        await database.close()


@asynccontextmanager
async def _hub(bus: Bus, counters: Counters) -> AsyncGenerator[Hub[str]]:
    """A hub without regular checks, so that only hints and listening anew bring changes."""
    hub = Hub[str](bus, recheck_seconds=NEVER_SECONDS)
    await hub.start()
    try:
        yield hub
    finally:
        await hub.aclose()
        await bus.aclose()


def _watch(hub: Hub[str], counters: Counters, object_id: UUID) -> Watcher:
    topic = Topic(TOPIC, counters.read, _nobody_refused)
    return Watcher(hub.subscribe(topic, counters.workspace_id, object_id, caller="everyone"))


def _assert_versions_grow(watchers: Sequence[Watcher]) -> None:
    assert all(before < after for watcher in watchers for before, after in pairwise(watcher.versions))


async def test_every_subscriber_ends_on_the_final_version_though_listeners_are_cut_under_load(
    postgres_url: str, transport: Transport
) -> None:
    buses = [Bus(transport.url, silence_seconds=NEVER_SECONDS) for _ in range(2)]
    async with AsyncExitStack() as stack:
        counters = await stack.enter_async_context(_counters(postgres_url, buses[0]))
        objects = await counters.create(5)
        hubs = [await stack.enter_async_context(_hub(bus, counters)) for bus in buses]
        watchers = [(object_id, _watch(hub, counters, object_id)) for hub in hubs for object_id in objects * 10]
        final = dict.fromkeys(objects, 1)

        for number in range(300):
            object_id = objects[number % len(objects)]
            final[object_id] = await counters.change(object_id)
            if number % 60 == 30:
                await transport.cut()

        for object_id, watcher in watchers:
            await watcher.reach(final[object_id])
        _assert_versions_grow([watcher for _, watcher in watchers])


async def test_streams_survive_the_loss_of_every_database_connection(postgres_url: str) -> None:
    bus = Bus(postgres_url, silence_seconds=NEVER_SECONDS)
    async with AsyncExitStack() as stack:
        counters = await stack.enter_async_context(_counters(postgres_url, bus))
        (object_id,) = await counters.create(1)
        hub = await stack.enter_async_context(_hub(bus, counters))
        watchers = [_watch(hub, counters, object_id) for _ in range(20)]

        final = 1
        for number in range(60):
            if number % 20 == 10:
                await _cut_everything(postgres_url)
            final = await _change_at_last(counters, object_id)

        for watcher in watchers:
            await watcher.reach(final)
        _assert_versions_grow(watchers)
        assert all(watcher.error is None for watcher in watchers)


async def test_a_thousand_subscribers_at_once_all_get_their_state_and_every_change(postgres_url: str) -> None:
    bus = Bus(postgres_url, silence_seconds=NEVER_SECONDS)
    async with AsyncExitStack() as stack:
        counters = await stack.enter_async_context(_counters(postgres_url, bus))
        objects = await counters.create(100)
        hub = await stack.enter_async_context(_hub(bus, counters))

        watchers = [_watch(hub, counters, object_id) for object_id in objects * 10]
        for watcher in watchers:
            await watcher.reach(1)
        reads_at_first = counters.reads
        await asyncio.gather(*map(counters.change, objects))
        for watcher in watchers:
            await watcher.reach(2)

        assert reads_at_first <= 2
        assert {tuple(watcher.versions) for watcher in watchers} == {(1, 2)}


async def _cut_everything(url: str) -> None:
    engine = connect(url)
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    await engine.dispose()


async def _change_at_last(counters: Counters, object_id: UUID) -> int:
    """Change the object as soon as the database takes it: pooled connections may still be dead ones."""
    while True:
        try:
            return await counters.change(object_id)
        except (DBAPIError, ConnectionError):
            await asyncio.sleep(0)
