"""Rights are checked with each reading, so that what is revoked sees nothing more."""

from __future__ import annotations

from uuid import UUID

import pytest

from app.errors import Forbidden, NotFound, ProtocolError, Unauthenticated
from tests.live.doubles import COALESCE_SECONDS, RECHECK_SECONDS, World


@pytest.mark.parametrize("refusal", [Unauthenticated(), Forbidden(), NotFound()])
async def test_who_has_no_right_sees_no_state(
    world: World, workspace_id: UUID, object_id: UUID, refusal: ProtocolError
) -> None:
    world.database.write(workspace_id, object_id)
    world.rights.revoked["stranger"] = refusal

    watcher = await world.watch(workspace_id, object_id, "stranger")

    assert watcher.states == []
    assert watcher.error is refusal


async def test_a_revoked_session_does_not_see_the_next_change(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    revoked = await world.watch(workspace_id, object_id, "revoked")
    other = await world.watch(workspace_id, object_id, "other")
    await world.time.advance(COALESCE_SECONDS)
    world.rights.revoked["revoked"] = Unauthenticated()

    await world.change(workspace_id, object_id)

    assert revoked.versions == [1]
    assert isinstance(revoked.error, Unauthenticated)
    assert other.versions == [1, 2]
    assert world.hub.open_streams == 1


async def test_a_revoked_session_ends_within_a_minute_though_nothing_changes(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    watcher = await world.watch(workspace_id, object_id)
    world.rights.revoked["session"] = Unauthenticated()

    await world.time.advance(RECHECK_SECONDS)

    assert isinstance(watcher.error, Unauthenticated)


async def test_a_state_not_taken_yet_is_withdrawn_with_the_right(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    slow = world.stream(workspace_id, object_id)
    await anext(slow)
    await world.change(workspace_id, object_id)
    world.rights.revoked["session"] = Forbidden()
    await world.time.advance(RECHECK_SECONDS)

    with pytest.raises(Forbidden):
        await anext(slow)


async def test_all_who_watch_are_checked_at_once(world: World, workspace_id: UUID, object_id: UUID) -> None:
    world.database.write(workspace_id, object_id)
    for _ in range(100):
        await world.watch(workspace_id, object_id, "shared")
    await world.watch(workspace_id, object_id, "alone")
    await world.time.advance(COALESCE_SECONDS)
    world.rights.checks.clear()
    world.rights.rounds = 0

    await world.change(workspace_id, object_id)

    assert set(world.rights.checks) == {"shared", "alone"}
    assert world.rights.rounds == 1


async def test_a_check_that_fails_sends_nothing_and_is_tried_again(
    world: World, workspace_id: UUID, object_id: UUID
) -> None:
    world.database.write(workspace_id, object_id)
    world.rights.unreachable = True
    watcher = await world.watch(workspace_id, object_id)
    await world.time.advance(3)
    before = list(watcher.states)

    world.rights.unreachable = False
    await world.time.advance(5)

    assert before == []
    assert watcher.error is None
    assert watcher.versions == [1]
