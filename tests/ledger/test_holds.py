"""Holds reserve, are captured once or released, and lapse; what returns goes back where it came from."""

from __future__ import annotations

from uuid import UUID

import pytest

from app.db.reads import Reads
from app.errors import InvalidInput, NotFound
from app.ids import uuid7
from app.ledger import ledger_reads
from app.ledger.movements import HoldClosed, HoldState, InsufficientCredits
from tests.ledger.workspace import Workspace


async def _state(workspace: Workspace, hold_id: UUID) -> HoldState:
    state = await ledger_reads.hold(Reads(workspace.database), workspace.id, hold_id)
    assert state is not None
    return state


async def test_a_hold_reserves_what_then_cannot_be_spent(workspace: Workspace) -> None:
    await workspace.grant(10)
    await workspace.hold(6)
    balance = await workspace.balance()
    assert (balance.available, balance.held) == (4, 6)
    with pytest.raises(InsufficientCredits):
        await workspace.spend(5)
    with pytest.raises(InsufficientCredits):
        await workspace.hold(5)
    assert await workspace.history() == [("BONUS", 10, 10, 0), ("HOLD", -6, 4, 6)]


async def test_a_capture_uses_up_to_the_amount_and_the_rest_returns_to_its_grants(workspace: Workspace) -> None:
    await workspace.grant(3, expires_at=workspace.in_time(days=1))
    await workspace.grant(10)
    hold = await workspace.hold(8)
    assert await workspace.remaining() == [5]
    posted = await workspace.capture(hold, 2)
    # the soonest-expiring part of the hold is used first
    assert await workspace.remaining() == [1, 10]
    assert (posted.transaction.amount, posted.transaction.held_delta) == (6, -8)
    assert posted.hold == await _state(workspace, hold)
    assert (await _state(workspace, hold)).captured == 2


async def test_a_capture_of_nothing_closes_the_hold_and_of_everything_uses_it_all(workspace: Workspace) -> None:
    await workspace.grant(10)
    nothing, everything = await workspace.hold(4), await workspace.hold(6)
    await workspace.capture(nothing, 0)
    await workspace.capture(everything, 6)
    balance = await workspace.balance()
    assert (balance.available, balance.held) == (4, 0)
    assert [line[:2] for line in await workspace.history()][-2:] == [("CAPTURE", 4), ("CAPTURE", 0)]


async def test_a_capture_above_the_hold_is_refused_and_leaves_it_open(workspace: Workspace) -> None:
    await workspace.grant(10)
    hold = await workspace.hold(4)
    with pytest.raises(InvalidInput):
        await workspace.capture(hold, 5)
    assert (await _state(workspace, hold)).is_open
    await workspace.capture(hold, 4)


async def test_a_closed_hold_can_be_neither_captured_nor_released(workspace: Workspace) -> None:
    await workspace.grant(10)
    captured, released, lapsed = await workspace.hold(1), await workspace.hold(1), await workspace.hold(1, minutes=1)
    await workspace.capture(captured, 1)
    await workspace.release(released)
    workspace.wait(minutes=1)
    for hold in (captured, released, lapsed):
        with pytest.raises(HoldClosed):
            await workspace.capture(hold, 1)
        with pytest.raises(HoldClosed):
            await workspace.release(hold)
    await workspace.settle_due()
    assert (await workspace.balance()).available == 9


async def test_a_hold_of_nobody_or_of_another_workspace_is_not_found(workspace: Workspace) -> None:
    other = Workspace(workspace.database)
    await other.grant(10)
    theirs = await other.hold(5)
    for hold in (uuid7(), theirs):
        with pytest.raises(NotFound):
            await workspace.release(hold)
    assert (await other.balance()).held == 5


async def test_an_open_hold_lapses_by_itself_on_its_time(workspace: Workspace) -> None:
    await workspace.grant(10)
    hold = await workspace.hold(6, minutes=10)
    workspace.wait(minutes=10, microseconds=-1)
    await workspace.settle_due()
    assert (await _state(workspace, hold)).is_open
    workspace.wait(microseconds=1)
    await workspace.settle_due()
    assert not (await _state(workspace, hold)).is_open
    assert (await workspace.history())[-1] == ("RELEASE", 6, 10, 0)


async def test_a_lapsed_hold_can_be_spent_from_even_before_the_job(workspace: Workspace) -> None:
    await workspace.grant(10)
    await workspace.hold(6, minutes=10)
    workspace.wait(minutes=10)
    await workspace.spend(10)
    assert [line[0] for line in await workspace.history()] == ["BONUS", "HOLD", "RELEASE", "USAGE"]


async def test_a_lapsed_hold_returns_before_anything_else_is_spent(workspace: Workspace) -> None:
    await workspace.grant(5, expires_at=workspace.in_time(days=1))
    await workspace.grant(10)
    await workspace.hold(5, minutes=10)
    workspace.wait(minutes=10)
    await workspace.spend(3)
    assert await workspace.remaining() == [2, 10]


async def test_what_returns_to_an_expired_grant_expires_at_once(workspace: Workspace) -> None:
    await workspace.grant(4, expires_at=workspace.in_time(minutes=5))
    await workspace.grant(10)
    hold = await workspace.hold(6)
    workspace.wait(minutes=6)
    await workspace.release(hold)
    assert (await workspace.history())[-2:] == [("RELEASE", 6, 14, 0), ("EXPIRY", -4, 10, 0)]
    assert await workspace.remaining() == [10]


async def test_held_credits_outlive_the_expiry_of_their_grant_and_can_be_captured(workspace: Workspace) -> None:
    await workspace.grant(4, expires_at=workspace.in_time(minutes=5))
    hold = await workspace.hold(3)
    workspace.wait(minutes=6)
    await workspace.settle_due()
    assert (await workspace.balance()).held == 3
    await workspace.capture(hold, 3)
    assert await workspace.history() == [
        ("BONUS", 4, 4, 0),
        ("HOLD", -3, 1, 3),
        ("EXPIRY", -1, 0, 3),
        ("CAPTURE", 0, 0, 0),
    ]


async def test_a_hold_must_expire_in_the_future(workspace: Workspace) -> None:
    await workspace.grant(10)
    with pytest.raises(InvalidInput):
        await workspace.hold(1, minutes=0)
    assert (await workspace.balance()).held == 0
