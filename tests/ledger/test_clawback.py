"""Refunds and disputes take back, below zero if need be; what comes in then pays the debt first."""

from __future__ import annotations

import pytest

from app.errors import InvalidInput
from app.ids import uuid7
from app.ledger.movements import InsufficientCredits
from tests.ledger.workspace import Workspace


async def test_a_clawback_takes_from_the_purchases_grant_first_then_in_spending_order(workspace: Workspace) -> None:
    await workspace.grant(5, expires_at=workspace.in_time(days=1))
    first = await workspace.buy(10)
    workspace.wait(minutes=1)
    second = await workspace.buy(10)
    await workspace.claw_back(second, 4)
    assert await workspace.remaining() == [5, 10, 6]
    await workspace.claw_back(first, 13)
    assert await workspace.remaining() == [2, 6]


async def test_what_the_grants_do_not_cover_is_a_debt_and_spending_stays_refused(workspace: Workspace) -> None:
    purchase = await workspace.buy(10)
    await workspace.spend(7)
    await workspace.claw_back(purchase, 10)
    assert (await workspace.history())[-1] == ("CLAWBACK", -10, -7, 0)
    balance = await workspace.balance()
    assert (balance.available, balance.grants) == (-7, ())
    with pytest.raises(InsufficientCredits):
        await workspace.spend(1)
    # a second one makes the debt larger
    await workspace.claw_back(purchase, 1)
    assert (await workspace.balance()).available == -8


async def test_the_next_grant_pays_the_debt_first(workspace: Workspace) -> None:
    purchase = await workspace.buy(10)
    await workspace.spend(10)
    await workspace.claw_back(purchase, 10)
    await workspace.grant(4)
    assert (await workspace.balance()).available == -6
    with pytest.raises(InsufficientCredits):
        await workspace.spend(1)
    await workspace.grant(10)
    balance = await workspace.balance()
    assert (balance.available, [(grant.amount, grant.remaining) for grant in balance.grants]) == (4, [(10, 4)])
    await workspace.spend(4)


async def test_a_clawback_leaves_held_credits_alone_and_their_return_pays_the_debt(workspace: Workspace) -> None:
    purchase = await workspace.buy(10)
    hold = await workspace.hold(8)
    await workspace.claw_back(purchase, 10)
    balance = await workspace.balance()
    assert (balance.available, balance.held) == (-8, 8)
    await workspace.capture(hold, 3)
    assert (await workspace.history())[-1] == ("CAPTURE", 5, -3, 0)
    await workspace.grant(5)
    assert await workspace.remaining() == [2]


async def test_a_dispute_won_pays_the_debt_and_gives_the_rest_back_on_the_purchases_terms(workspace: Workspace) -> None:
    expires_at = workspace.in_time(days=100)
    purchase = await workspace.buy(10, expires_at=expires_at)
    await workspace.spend(4)
    await workspace.claw_back(purchase, 10)
    await workspace.reinstate(purchase, 10)
    assert [line[:3] for line in await workspace.history()][-2:] == [("CLAWBACK", -10, -4), ("REINSTATEMENT", 10, 6)]
    (grant,) = (await workspace.balance()).grants
    assert (grant.remaining, grant.expires_at, grant.purchase_id) == (6, expires_at, purchase)


async def test_what_is_given_back_to_an_expired_purchase_expires_at_once(workspace: Workspace) -> None:
    purchase = await workspace.buy(10, expires_at=workspace.in_time(days=1))
    await workspace.claw_back(purchase, 10)
    workspace.wait(days=2)
    await workspace.reinstate(purchase, 10)
    assert (await workspace.history())[-2:] == [("REINSTATEMENT", 10, 10, 0), ("EXPIRY", -10, 0, 0)]


async def test_nothing_is_given_back_for_a_purchase_that_was_never_granted(workspace: Workspace) -> None:
    with pytest.raises(InvalidInput):
        await workspace.reinstate(uuid7(), 1)
    assert await workspace.history() == []
