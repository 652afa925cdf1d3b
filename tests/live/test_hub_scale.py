"""A thousand subscribers cost one read, one value and little memory, and leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from uuid import UUID

from app.ids import uuid7
from app.live.feed import Feed, Subscription
from tests.live.doubles import COALESCE_SECONDS, State, Watcher, World, run_ready_tasks


def _living() -> int:
    gc.collect()
    return sum(type(thing) in (Feed, Subscription) for thing in gc.get_objects())


async def test_a_thousand_at_once_share_one_read_and_one_value(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)

    watchers = [Watcher(world.stream(workspace_id, object_id)) for _ in range(1_000)]
    await run_ready_tasks()
    await world.time.advance(COALESCE_SECONDS)
    await world.change(workspace_id, object_id)

    assert all(watcher.versions == [1, 2] for watcher in watchers)
    assert len(world.database.reads) <= 3
    for position in range(2):
        assert len({id(watcher.states[position]) for watcher in watchers}) == 1


async def test_newcomers_get_the_value_that_others_have(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    early = await world.watch(workspace_id, object_id)
    await world.time.advance(COALESCE_SECONDS)

    late = await world.watch(workspace_id, object_id)

    assert late.states[0] is early.states[0]


async def test_a_thousand_workspaces_at_once_all_get_their_state(world: World) -> None:
    workspaces = [uuid7() for _ in range(1_000)]
    for workspace_id in workspaces:
        world.database.write(workspace_id, workspace_id)

    watchers = [Watcher(world.stream(workspace_id, workspace_id)) for workspace_id in workspaces]
    while not all(watcher.states for watcher in watchers):
        await run_ready_tasks()

    assert [watcher.states[0].object_id for watcher in watchers] == workspaces


async def test_leaving_cleans_up_whatever_way_it_happens(world: World, workspace_id: UUID, object_id: UUID) -> None:
    before = _living()
    world.database.write(workspace_id, object_id)
    waiting = await world.watch(workspace_id, object_id)
    closed = world.stream(workspace_id, object_id)
    await anext(closed)
    await world.time.advance(COALESCE_SECONDS)
    forgotten = world.stream(workspace_id, object_id)
    await anext(forgotten)
    never_asked = world.stream(workspace_id, object_id)
    everything = Watcher(world.stream_all(workspace_id))
    await world.time.advance(COALESCE_SECONDS)
    assert world.hub.open_streams == 4

    await waiting.stop()
    await everything.stop()
    await closed.aclose()
    del waiting, everything, closed, forgotten, never_asked
    gc.collect()
    await world.time.advance(COALESCE_SECONDS)

    assert world.hub.open_streams == 0
    assert _living() == before


async def test_states_that_nobody_watches_any_more_are_forgotten(world: World, workspace_id: UUID) -> None:
    kept, left = uuid7(), uuid7()
    world.database.write(workspace_id, kept)
    world.database.write(workspace_id, left)
    stays = await world.watch(workspace_id, kept)
    leaves = await world.watch(workspace_id, left)

    await leaves.stop()
    del leaves
    gc.collect()

    assert [state for state in gc.get_objects() if type(state) is State and state.object_id == left] == []
    assert stays.error is None


async def test_leaving_during_a_read_cleans_up(world: World, workspace_id: UUID, object_id: UUID) -> None:
    before = _living()
    world.database.write(workspace_id, object_id)
    world.database.held = asyncio.Event()
    watcher = await world.watch(workspace_id, object_id)

    await watcher.stop()
    world.database.held.set()
    await world.time.advance(COALESCE_SECONDS)
    del watcher

    assert _living() == before


def _tasks_of_the_hub() -> int:
    """How many tasks run code of the hub's room: others of this process come and go by themselves."""
    codes = [getattr(task.get_coro(), "cr_code", None) for task in asyncio.all_tasks()]
    return sum("/app/live/" in code.co_filename for code in codes if code is not None)


async def test_the_hub_keeps_no_task_per_subscriber(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    tasks = _tasks_of_the_hub()
    streams = [world.stream(workspace_id, object_id) for _ in range(100)]

    for stream in streams:
        await anext(stream)
        await world.time.advance(COALESCE_SECONDS)

    assert 0 < _tasks_of_the_hub() == tasks


async def test_a_subscriber_takes_less_than_three_kilobytes(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    await anext(world.stream(workspace_id, object_id))
    await world.time.advance(COALESCE_SECONDS)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        streams = [world.stream(workspace_id, object_id) for _ in range(1_000)]
        for first in asyncio.as_completed([anext(stream) for stream in streams]):
            await first
        await world.time.advance(COALESCE_SECONDS)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (after - before) / len(streams) < 3_072
