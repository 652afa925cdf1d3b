"""Grants come in, spending takes them in order, and expiry removes what is left."""

from __future__ import annotations

import pytest

from app.errors import InvalidInput
from app.ids import uuid7
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant, InsufficientCredits, Posted, Spend
from app.money import MAX_STEPS, CreditUnit
from tests.ledger.workspace import Workspace


async def test_a_workspace_without_movements_has_zeros_and_version_zero(workspace: Workspace) -> None:
    balance = await workspace.balance()
    assert (balance.available, balance.held, balance.version, balance.grants) == (0, 0, 0, ())
    with pytest.raises(InsufficientCredits):
        await workspace.spend(1)
    assert (await workspace.balance()).version == 0


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (Source.PURCHASE, "PURCHASE"),
        (Source.AUTO_RECHARGE, "AUTO_RECHARGE"),
        (Source.WELCOME_BONUS, "BONUS"),
        (Source.PROMOTION, "BONUS"),
        (Source.ADJUSTMENT, "ADJUSTMENT"),
    ],
)
async def test_a_grant_is_a_transaction_of_its_sources_kind(workspace: Workspace, source: Source, kind: str) -> None:
    await workspace.grant(100, source=source)
    assert await workspace.history() == [(kind, 100, 100, 0)]
    assert (await workspace.balance()).grants[0].source is source


async def test_spending_takes_the_soonest_expiring_first_then_the_oldest_and_the_never_expiring_last(
    workspace: Workspace,
) -> None:
    # given four grants that are not in spending order
    for amount, days in ((1, None), (2, 20), (3, 10)):
        await workspace.grant(amount, expires_at=workspace.in_time(days=days) if days else None)
    soonest = workspace.in_time(days=10)
    workspace.wait(hours=1)
    await workspace.grant(4, expires_at=soonest)
    assert await workspace.remaining() == [3, 4, 2, 1]
    # when spending through them
    left: list[list[int]] = []
    for amount in (2, 2, 4, 2):
        await workspace.spend(amount)
        left.append(await workspace.remaining())
    # then each is used up before the next
    assert left == [[1, 4, 2, 1], [3, 2, 1], [1, 1], []]


async def test_spending_through_more_grants_than_the_quick_way_looks_at(workspace: Workspace) -> None:
    for _ in range(40):
        await workspace.grant(2)
    posted = await workspace.spend(75)
    assert (posted.transaction.sequence, posted.transaction.balance_after) == (41, 5)
    assert await workspace.remaining() == [1, 2, 2]


async def test_spending_more_than_there_is_is_refused_says_what_there_is_and_changes_nothing(
    workspace: Workspace,
) -> None:
    await workspace.grant(1_500_000)
    with pytest.raises(InsufficientCredits) as refused:
        await workspace.spend(1_500_001)
    assert refused.value.available == 1_500_000
    assert "1.50 US dollars" in refused.value.in_unit(CreditUnit("USD", "US dollars", 6)).message
    assert await workspace.history() == [("BONUS", 1_500_000, 1_500_000, 0)]
    await workspace.spend(1_500_000)
    assert (await workspace.balance()).available == 0


async def test_a_refused_movement_of_a_list_leaves_the_others_alone(workspace: Workspace) -> None:
    await workspace.grant(10)
    spends = [Spend(workspace_id=workspace.id, amount=amount, description="Use") for amount in (4, 7, 6, 1)]
    answers = await workspace.do_all(*spends)
    assert [type(answer) for answer in answers] == [Posted, InsufficientCredits, Posted, InsufficientCredits]
    assert await workspace.history() == [("BONUS", 10, 10, 0), ("USAGE", -4, 6, 0), ("USAGE", -6, 0, 0)]


async def test_what_a_list_grants_it_can_spend(workspace: Workspace) -> None:
    other = uuid7()
    answers = await workspace.do_all(
        Grant(workspace_id=workspace.id, amount=5, source=Source.PROMOTION, description="Grant"),
        Spend(workspace_id=other, amount=1, description="Use"),
        Spend(workspace_id=workspace.id, amount=5, description="Use"),
    )
    assert [type(answer) for answer in answers] == [Posted, InsufficientCredits, Posted]


async def test_a_grant_expires_on_its_minute_also_in_a_balance_nobody_touches(workspace: Workspace) -> None:
    await workspace.grant(10, expires_at=workspace.in_time(days=30))
    await workspace.grant(5)
    await workspace.spend(3)
    workspace.wait(days=30, microseconds=-1)
    await workspace.settle_due()
    assert (await workspace.balance()).available == 12
    workspace.wait(microseconds=1)
    # the balance no longer counts it, even before the job
    assert (await workspace.balance()).available == 5
    await workspace.settle_due()
    assert (await workspace.history())[-1] == ("EXPIRY", -7, 5, 0)
    assert await workspace.remaining() == [5]
    before = await workspace.history()
    await workspace.settle_due()
    assert await workspace.history() == before


async def test_a_grant_that_has_expired_cannot_be_spent_even_before_the_expiry_job(workspace: Workspace) -> None:
    await workspace.grant(10, expires_at=workspace.in_time(days=1))
    await workspace.grant(5)
    workspace.wait(days=1)
    with pytest.raises(InsufficientCredits) as refused:
        await workspace.spend(6)
    assert refused.value.available == 5
    await workspace.spend(5)
    assert [line[:3] for line in await workspace.history()][-2:] == [("EXPIRY", -10, 5), ("USAGE", -5, 0)]


async def test_each_expired_grant_is_a_transaction_of_its_own(workspace: Workspace) -> None:
    await workspace.grant(1, expires_at=workspace.in_time(days=2))
    await workspace.grant(2, expires_at=workspace.in_time(days=1))
    workspace.wait(days=3)
    await workspace.settle_due()
    assert await workspace.history() == [
        ("BONUS", 1, 1, 0),
        ("BONUS", 2, 3, 0),
        ("EXPIRY", -2, 1, 0),
        ("EXPIRY", -1, 0, 0),
    ]


async def test_the_next_expiry_takes_together_what_goes_at_the_same_time(workspace: Workspace) -> None:
    soon, later = workspace.in_time(days=1), workspace.in_time(days=2)
    await workspace.grant(1, expires_at=later)
    await workspace.grant(2, expires_at=soon)
    await workspace.grant(4, expires_at=soon)
    await workspace.grant(8)
    expiry = (await workspace.balance()).next_expiry
    assert expiry is not None
    assert (expiry.amount, expiry.at) == (6, soon)


async def test_credits_that_expire_in_the_past_are_refused(workspace: Workspace) -> None:
    with pytest.raises(InvalidInput):
        await workspace.grant(1, expires_at=workspace.clock.moment)
    assert await workspace.history() == []


@pytest.mark.parametrize("amount", [0, -1, MAX_STEPS + 1])
async def test_amounts_below_one_or_beyond_64_bits_are_refused(workspace: Workspace, amount: int) -> None:
    with pytest.raises(InvalidInput):
        await workspace.grant(amount)
    with pytest.raises(InvalidInput):
        await workspace.spend(amount)
    assert await workspace.history() == []


async def test_a_balance_beyond_64_bits_is_refused_cleanly(workspace: Workspace) -> None:
    await workspace.grant(MAX_STEPS)
    with pytest.raises(InvalidInput):
        await workspace.grant(1)
    # what is held counts too: it may come back
    await workspace.hold(10)
    with pytest.raises(InvalidInput):
        await workspace.grant(1)
    spends = [Spend(workspace_id=workspace.id, amount=MAX_STEPS - 10, description="Use") for _ in range(2)]
    answers = await workspace.do_all(*spends)
    assert [type(answer) for answer in answers] == [Posted, InsufficientCredits]
    assert (await workspace.balance()).available == 0
