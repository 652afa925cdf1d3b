"""State first, then the newest state only, and versions that never go back."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from app.errors import NotFound, Unavailable
from app.ids import uuid7
from app.live import Hint
from tests.live.doubles import COALESCE_SECONDS, RECHECK_SECONDS, TOPIC, State, Watcher, World, settle


async def test_the_state_comes_first(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    world.database.write(workspace_id, object_id)

    watcher = await world.watch(workspace_id, object_id)

    assert watcher.states == [State(object_id, 2)]


async def test_a_change_is_sent_after_its_hint(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    watcher = await world.watch(workspace_id, object_id)

    await world.change(workspace_id, object_id)

    assert watcher.versions == [1, 2]


async def test_an_object_that_does_not_exist_ends_the_stream(world: World, workspace_id: UUID, object_id: UUID) -> None:
    watcher = await world.watch(workspace_id, object_id)

    assert isinstance(watcher.error, NotFound)


async def test_others_changes_are_not_sent(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    watcher = await world.watch(workspace_id, object_id)
    reads = len(world.database.reads)

    await world.change(workspace_id, uuid7())
    await world.change(uuid7(), object_id)

    assert watcher.versions == [1]
    assert len(world.database.reads) == reads


async def test_a_known_version_causes_no_read(world: World, workspace_id: UUID, object_id: UUID) -> None:
    for _ in range(3):
        world.database.write(workspace_id, object_id)
    await world.watch(workspace_id, object_id)
    reads = len(world.database.reads)

    world.bus.deliver([Hint(TOPIC, workspace_id, object_id, version) for version in (3, 2, 1)])
    await world.time.advance(1)

    assert len(world.database.reads) == reads


async def test_a_version_that_a_read_under_way_brings_causes_no_other(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    watcher = await world.watch(workspace_id, object_id)
    world.database.held = asyncio.Event()
    hint = world.database.write(workspace_id, object_id)
    world.bus.deliver([hint])
    await settle()
    reads = len(world.database.reads)

    world.bus.deliver([hint])
    world.database.held.set()
    await world.time.advance(1)

    assert watcher.versions == [1, 2]
    assert len(world.database.reads) == reads


async def test_hints_that_come_together_share_a_read(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    watcher = await world.watch(workspace_id, object_id)
    reads = len(world.database.reads)

    for _ in range(10):
        world.bus.deliver([world.database.write(workspace_id, object_id)])
    await world.time.advance(COALESCE_SECONDS)

    assert len(world.database.reads) == reads + 1
    assert watcher.versions == [1, 11]


async def test_a_slow_client_gets_only_the_newest(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    slow = world.stream(workspace_id, object_id)
    first = await anext(slow)

    for _ in range(50):
        await world.change(workspace_id, object_id)
    second = await anext(slow)

    assert (first, second) == (State(object_id, 1), State(object_id, 51))
    waiting = asyncio.ensure_future(anext(slow))
    await world.time.advance(RECHECK_SECONDS)
    assert not waiting.done(), "one slot held the only undelivered state"
    waiting.cancel()


async def test_a_slow_client_of_many_objects_has_one_slot_for_each(world: World, workspace_id: UUID) -> None:
    objects = [uuid7() for _ in range(3)]
    slow = world.stream_all(workspace_id)
    waiting = asyncio.ensure_future(anext(slow))
    await settle()
    for _ in range(5):
        for object_id in objects:
            await world.change(workspace_id, object_id)

    states = [await waiting, *[await anext(slow) for _ in objects]]

    assert states[0].version == 1
    assert {state.object_id: state.version for state in states[1:]} == dict.fromkeys(objects, 5)


async def test_versions_never_go_back_when_a_read_is_behind(world: World, workspace_id: UUID, object_id: UUID) -> None:
    for _ in range(5):
        world.database.write(workspace_id, object_id)
    early = await world.watch(workspace_id, object_id)

    world.database.lag = 3
    late = await world.watch(workspace_id, object_id)
    world.hub.recheck()
    await world.time.advance(1)

    assert early.versions == [5]
    assert late.versions == [5], "a newcomer gets the newest state known here, not the older one that was read"


async def test_a_change_during_a_slow_read_is_read_again(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    watcher = await world.watch(workspace_id, object_id)
    world.database.held = asyncio.Event()
    await world.change(workspace_id, object_id)

    world.bus.deliver([world.database.write(workspace_id, object_id)])
    await settle()
    world.database.held.set()
    await world.time.advance(COALESCE_SECONDS)

    assert watcher.versions == [1, 2, 3]


async def test_a_newcomer_does_not_get_a_state_read_before_it_came(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    world.database.held = asyncio.Event()
    early = await world.watch(workspace_id, object_id)
    world.database.write(workspace_id, object_id)

    late = await world.watch(workspace_id, object_id)
    world.database.held.set()
    await world.time.advance(COALESCE_SECONDS)

    assert early.versions == [1, 2]
    assert late.versions == [2], "what somebody has just written, a subscription begun after it must show"


async def test_lost_hints_are_healed_by_the_regular_check(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    watcher = await world.watch(workspace_id, object_id)
    world.database.write(workspace_id, object_id)

    await world.time.advance(RECHECK_SECONDS)

    assert watcher.versions == [1, 2]


async def test_each_feed_is_checked_once_a_round(world: World) -> None:
    workspaces = [uuid7() for _ in range(40)]
    for workspace_id in workspaces:
        world.database.write(workspace_id, workspace_id)
        await world.watch(workspace_id, workspace_id)
    world.database.reads.clear()

    most_at_once = 0
    for _ in range(30):
        before = len(world.database.reads)
        await world.time.advance(RECHECK_SECONDS / 30)
        most_at_once = max(most_at_once, len(world.database.reads) - before)

    assert sorted(workspace_id for workspace_id, _ in world.database.reads) == sorted(workspaces)
    assert most_at_once == 2, "the checks are spread over the round"


async def test_listening_anew_reads_everything_watched_again(world: World, workspace_id: UUID) -> None:
    objects = [uuid7() for _ in range(3)]
    for object_id in objects:
        world.database.write(workspace_id, object_id)
    watchers = [await world.watch(workspace_id, object_id) for object_id in objects]
    for object_id in objects:
        world.database.write(workspace_id, object_id)
    await world.time.advance(COALESCE_SECONDS)
    world.database.reads.clear()

    world.bus.listen_anew()
    await settle()

    assert [watcher.versions for watcher in watchers] == [[1, 2]] * 3
    assert world.database.reads == [(workspace_id, frozenset(objects))], (
        "one read serves all of a workspace's subscribers"
    )


async def test_a_failing_read_is_tried_again_and_ends_no_stream(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    watcher = await world.watch(workspace_id, object_id)
    world.database.fails = True
    await world.change(workspace_id, object_id)
    await world.time.advance(20)
    failed = len(world.database.reads)

    world.database.fails = False
    await world.time.advance(5)

    assert watcher.versions == [1, 2]
    assert watcher.error is None
    assert failed < 20, "the attempts grow rarer"


async def test_closing_the_hub_ends_every_stream_with_unavailable(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    watchers = [await world.watch(workspace_id, object_id) for _ in range(3)]
    slow = world.stream(workspace_id, object_id)
    await anext(slow)
    await world.change(workspace_id, object_id)

    await world.hub.aclose()
    await settle()

    assert [type(watcher.error) for watcher in watchers] == [Unavailable] * 3
    with pytest.raises(Unavailable):
        await anext(slow)
    with pytest.raises(Unavailable):
        await anext(world.stream(workspace_id, object_id))


async def test_all_objects_of_a_workspace_begin_with_those_asked_for(world: World, workspace_id: UUID) -> None:
    old, recent, new = uuid7(), uuid7(), uuid7()
    world.database.write(workspace_id, old)
    for _ in range(5):
        world.database.write(workspace_id, recent)

    watcher = Watcher(world.stream_all(workspace_id, since=3))
    await settle()
    opening = list(watcher.states)
    await world.change(workspace_id, new)
    await world.change(workspace_id, old)

    assert opening == [State(recent, 5)]
    assert watcher.states[1:] == [State(new, 1), State(old, 2)]


async def test_all_objects_of_a_workspace_heal_what_was_missed(world: World, workspace_id: UUID) -> None:
    old, new = uuid7(), uuid7()
    world.database.write(workspace_id, old)
    watcher = Watcher(world.stream_all(workspace_id))
    await settle()
    world.database.write(workspace_id, old)
    world.database.write(workspace_id, new)

    await world.time.advance(RECHECK_SECONDS)

    assert sorted(watcher.states, key=lambda state: state.version) == [State(new, 1), State(old, 2)]


async def test_one_object_and_all_objects_are_served_side_by_side(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    everything = Watcher(world.stream_all(workspace_id))
    one = await world.watch(workspace_id, object_id)

    await world.change(workspace_id, object_id)

    assert one.versions == [1, 2]
    assert everything.versions == [2]
    assert one.states[-1] is everything.states[-1]
