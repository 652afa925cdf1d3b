"""Encode once: what is shared, by whom, and for how long."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping

import pytest

from app.asgi.graphql import GraphQLSettings
from app.asgi.graphql.shared_results import SharedResults
from tests.asgi.conftest import Served, served
from tests.asgi.sockets import ready_socket


class State:
    """A state as the hub hands it to every subscriber."""


class Encoder:
    """Counts how often it encoded."""

    def __init__(self, *, shareable: bool = True, fails: bool = False) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.shareable = shareable
        self.fails = fails

    async def __call__(self) -> tuple[str, bool]:
        self.calls += 1
        await self.gate.wait()
        if self.fails:
            raise RuntimeError
        return f"text {self.calls}", self.shareable


async def test_one_event_is_encoded_once_for_all_with_the_same_key() -> None:
    shared, state, encode = SharedResults(), State(), Encoder()
    assert [await shared.encoded(state, "key", encode) for _ in range(3)] == ["text 1"] * 3
    assert encode.calls == 1


async def test_callers_at_the_same_moment_wait_for_the_first() -> None:
    shared, state, encode = SharedResults(), State(), Encoder()
    encode.gate.clear()
    waiting = [asyncio.create_task(shared.encoded(state, "key", encode)) for _ in range(100)]
    await asyncio.sleep(0)
    encode.gate.set()
    assert set(await asyncio.gather(*waiting)) == {"text 1"}


async def test_another_key_or_another_event_is_encoded_for_itself() -> None:
    shared, first, second, encode = SharedResults(), State(), State(), Encoder()
    results = [
        await shared.encoded(first, "ada", encode),
        await shared.encoded(first, "bob", encode),
        await shared.encoded(second, "ada", encode),
    ]
    assert results == ["text 1", "text 2", "text 3"]


async def test_results_live_as_long_as_their_event() -> None:
    shared, state = SharedResults(), State()
    await shared.encoded(state, "key", Encoder())
    assert len(shared) == 1
    del state
    gc.collect()
    assert len(shared) == 0


async def test_a_result_that_must_not_be_shared_is_made_for_each() -> None:
    shared, state, encode = SharedResults(), State(), Encoder(shareable=False)
    assert [await shared.encoded(state, "key", encode) for _ in range(2)] == ["text 1", "text 2"]
    encode.gate.clear()
    waiting = [asyncio.create_task(shared.encoded(state, "key", encode)) for _ in range(3)]
    await asyncio.sleep(0)
    encode.gate.set()
    await asyncio.gather(*waiting)
    assert encode.calls == 5


async def test_a_failure_of_the_first_is_not_the_failure_of_the_others() -> None:
    shared, state, failing, working = SharedResults(), State(), Encoder(fails=True), Encoder()
    failing.gate.clear()
    first = asyncio.create_task(shared.encoded(state, "key", failing))
    await asyncio.sleep(0)
    second = asyncio.create_task(shared.encoded(state, "key", working))
    await asyncio.sleep(0)
    failing.gate.set()
    with pytest.raises(RuntimeError):
        await first
    assert await second == "text 1"


async def test_a_first_caller_that_goes_does_not_take_the_others_along() -> None:
    shared, state, leaving, working = SharedResults(), State(), Encoder(), Encoder()
    leaving.gate.clear()
    first = asyncio.create_task(shared.encoded(state, "key", leaving))
    await asyncio.sleep(0)
    second = asyncio.create_task(shared.encoded(state, "key", working))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "text 1"


async def test_an_event_without_weak_references_is_encoded_for_each() -> None:
    shared, encode = SharedResults(), Encoder()
    event = {"balance": 1}
    assert [await shared.encoded(event, "key", encode) for _ in range(2)] == ["text 1", "text 2"]
    assert len(shared) == 0


async def balance_of(server: Served, query: str, payload: Mapping[str, object] | None = None) -> object:
    async with ready_socket(server.ws_url, payload) as socket:
        await socket.subscribe("a", query)
        return (await socket.receive())["payload"]


async def test_sockets_with_equal_rights_share_one_execution() -> None:
    query = "subscription { balanceChanged { amount } }"
    async with served(GraphQLSettings()) as server:
        server.contexts.share_key = "workspace"
        answers = [await balance_of(server, query) for _ in range(5)]
        assert answers == [{"data": {"balanceChanged": {"amount": 100}}}] * 5
        assert server.contexts.balance.reads == 1


async def test_other_rights_another_document_or_no_key_share_nothing() -> None:
    query = "subscription { balanceChanged { amount } }"
    async with served(GraphQLSettings()) as server:
        server.contexts.share_key = "workspace"
        await balance_of(server, query)
        await balance_of(server, query, {"authorization": "Bearer good-token"})
        await balance_of(server, f"{query} ")
        assert server.contexts.balance.reads == 3
        server.contexts.share_key = None
        await balance_of(server, query)
        await balance_of(server, query)
        assert server.contexts.balance.reads == 5


async def test_a_result_with_errors_is_shared_with_nobody() -> None:
    async with served(GraphQLSettings()) as server:
        server.contexts.share_key = "workspace"
        await balance_of(server, "subscription { balanceChanged { secret } }")
        first = server.contexts.balance.reads
        await balance_of(server, "subscription { balanceChanged { secret } }")
        assert server.contexts.balance.reads == 2 * first > 0
