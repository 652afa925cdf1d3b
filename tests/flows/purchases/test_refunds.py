"""Refunds made at Stripe: what they take back, in full, in part, and where the credits are gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.access.permissions import ApiScope
from app.billing.purchases.refunds_and_disputes import steps_to_claw_back
from app.db.tables.purchases import PurchaseStatus
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant, InsufficientCredits, Spend
from tests.support import operations
from tests.support.client import eventually
from tests.support.returned_money import Bought, buy, check_ledger
from tests.support.running_backend import RunningBackend


async def test_a_full_refund_takes_all_credits_back_and_says_so(backend: RunningBackend) -> None:
    bought = await buy(backend)
    before = await bought.row()

    await bought.refund_at_stripe()

    row = await bought.reclaimed(bought.credits)
    assert (row.status, row.refunded_minor) == (PurchaseStatus.REFUNDED, bought.total_minor)
    assert row.version > before.version
    assert await bought.available() == 0
    assert await bought.kinds() == ["PURCHASE", "CLAWBACK"]
    assert await bought.audited() == ["purchase.refunded"]
    await check_ledger(backend)


async def test_a_partial_refund_takes_its_share_and_the_purchase_stays_succeeded(backend: RunningBackend) -> None:
    bought = await buy(backend)

    await bought.refund_at_stripe(bought.total_minor // 4)

    row = await bought.reclaimed(bought.credits // 4)
    assert row.status == PurchaseStatus.SUCCEEDED
    assert await bought.available() == bought.credits - bought.credits // 4
    await check_ledger(backend)


async def test_the_invoice_shows_what_was_refunded(backend: RunningBackend) -> None:
    bought = await buy(backend)
    before = await bought.invoice()

    await bought.refund_at_stripe(150)
    await bought.refund_at_stripe(100)
    await bought.reclaimed(bought.credits // 2)

    after = await bought.invoice()
    assert (after.amount_refunded_minor, after.status, after.amount_paid_minor) == (250, "PAID", 500)
    assert after.version > before.version
    assert after.changed_at > before.changed_at
    query = "query ($id: ID!) { workspace(id: $id) { invoices { nodes { amountRefunded { amount currency } } } } }"
    shown = await backend.api.query(query, {"id": bought.person.workspace}, token=bought.person.token)
    assert shown["workspace"]["invoices"]["nodes"] == [{"amountRefunded": {"amount": "2.50", "currency": "EUR"}}]


async def test_open_screens_see_balance_and_purchase_after_a_refund(backend: RunningBackend) -> None:
    bought = await buy(backend)
    watched = {"id": bought.person.workspace}
    async with backend.api.socket(bought.person.token) as purchase, backend.api.socket(bought.person.token) as balance:
        first = await purchase.subscribe(operations.WATCH_PURCHASE, {"id": bought.global_id})
        before = await balance.subscribe(operations.WATCH_BALANCE, watched)

        await bought.refund_at_stripe()

        after = await purchase.until(lambda state: state["status"] == "REFUNDED")
        assert int(after["version"]) > int(first["version"])
        left = await balance.until(lambda state: state["available"] == "0")
        assert int(left["version"]) > int(before["version"])


# 10.83 USD paid for 10.000000: what each refund in turn leaves taken back, in steps, rounded down of all refunded so far
ROUNDING = [
    ([1], [9_233]),
    ([1, 1], [9_233, 18_467]),
    ([100], [923_361]),
    ([361, 361, 361], [3_333_333, 6_666_666, 10_000_000]),
    ([542, 541], [5_004_616, 10_000_000]),
    ([1_082], [9_990_766]),
    ([1_083], [10_000_000]),
]


@pytest.mark.catalogs("compute")
@pytest.mark.parametrize(("refunds", "reclaimed"), ROUNDING)
async def test_what_is_taken_back_is_the_refunded_share_rounded_down(
    backend: RunningBackend, refunds: list[int], reclaimed: list[int]
) -> None:
    bought = await buy(backend)
    assert (bought.total_minor, bought.credits) == (1_083, 10_000_000)

    for refund, steps in zip(refunds, reclaimed, strict=True):
        await bought.refund_at_stripe(refund)
        await bought.reclaimed(steps)
        assert await bought.available() == bought.credits - steps

    assert (await bought.row()).status == (
        PurchaseStatus.REFUNDED if sum(refunds) == 1_083 else PurchaseStatus.SUCCEEDED
    )
    await check_ledger(backend)


@given(granted=st.integers(1, 2**62), parts=st.lists(st.integers(1, 10**7), min_size=1, max_size=30))
def test_partial_refunds_together_take_exactly_what_one_would(granted: int, parts: list[int]) -> None:
    total, returned, taken = sum(parts), 0, 0
    for part in parts:
        returned += part
        taken += steps_to_claw_back(granted, returned_minor=returned, total_minor=total, already=taken)
        assert taken == granted * returned // total
    assert taken == granted


async def test_a_refund_takes_from_its_own_grant_first_then_from_the_others_in_spending_order(
    backend: RunningBackend,
) -> None:
    first = await buy(backend)
    second = await buy(backend, person=first.person)
    soon = backend.database.clock.now() + timedelta(days=1)
    given = Grant(
        workspace_id=first.person.workspace_id, amount=400, source=Source.PROMOTION, description="Gift", expires_at=soon
    )
    await second.post(given)
    # spending takes the gift and part of the first purchase, which are ahead of the second's credits
    await second.post(_spend(second, 400 + 300))

    await second.refund_at_stripe()
    await second.reclaimed(second.credits)
    [left] = (await second.balance()).grants
    assert (left.purchase_id, left.remaining) == (first.id, first.credits - 300)

    await second.post(given)
    await first.refund_at_stripe()
    await first.reclaimed(first.credits)
    [left] = (await first.balance()).grants
    assert (left.source, left.remaining) == (Source.PROMOTION, 100)
    await check_ledger(backend)


async def test_what_is_spent_already_becomes_a_debt_that_the_next_grant_pays_first(backend: RunningBackend) -> None:
    bought = await buy(backend)
    await bought.post(_spend(bought, bought.credits - 1_000))

    await bought.refund_at_stripe()
    await bought.reclaimed(bought.credits)
    assert await bought.available() == 1_000 - bought.credits
    with pytest.raises(InsufficientCredits):
        await bought.post(_spend(bought, 1))

    again = await buy(backend, person=bought.person)
    assert await bought.available() == 1_000
    [grant] = (await again.balance()).grants
    assert (grant.purchase_id, grant.remaining) == (again.id, 1_000)
    await bought.post(_spend(bought, 1_000))
    await check_ledger(backend)


async def test_held_credits_stay_held_and_return_to_pay_the_debt(backend: RunningBackend) -> None:
    bought = await buy(backend)
    given = {"workspaceId": bought.person.workspace, "amount": "400000", "description": "A job", "idempotencyKey": "1"}
    hold = "mutation ($input: HoldCreditsInput!) { holdCredits(input: $input) { hold { id } userErrors { code } } }"
    release = "mutation ($input: ReleaseHoldInput!) { releaseHold(input: $input) { userErrors { code } } }"
    token = await backend.service_key(ApiScope.CREDITS_WRITE)
    held = (await backend.api.query(hold, {"input": given}, token=token))["holdCredits"]
    assert held["userErrors"] == []

    await bought.refund_at_stripe()
    await bought.reclaimed(bought.credits)
    balance = await bought.balance()
    assert (balance.available, balance.held) == (-400_000, 400_000)

    await backend.api.query(release, {"input": {"holdId": held["hold"]["id"]}}, token=token)
    balance = await bought.balance()
    assert (balance.available, balance.held, balance.grants) == (0, 0, ())
    await check_ledger(backend)


async def test_a_pending_refund_takes_nothing_until_it_succeeds(own_backend: RunningBackend) -> None:
    bought = await buy(own_backend, "pm_card_pendingRefund")

    refund = await bought.refund_at_stripe()
    assert refund.status == "pending"
    await eventually(lambda: _looked(bought))
    assert (await bought.row()).status == PurchaseStatus.SUCCEEDED
    assert await bought.available() == bought.credits

    await own_backend.advance("PT2M")
    row = await bought.reclaimed(bought.credits)
    assert row.status == PurchaseStatus.REFUNDED
    await check_ledger(own_backend)


async def test_a_refund_that_fails_after_it_was_counted_gives_the_credits_back(own_backend: RunningBackend) -> None:
    bought = await buy(own_backend, "pm_card_refundFail")
    await bought.refund_at_stripe(200)
    await bought.reclaimed(bought.credits * 2 // 5)

    await own_backend.advance("PT2M")

    row = await bought.reclaimed(0)
    assert (row.status, row.refunded_minor) == (PurchaseStatus.SUCCEEDED, 0)
    assert await bought.available() == bought.credits
    assert (await bought.invoice()).amount_refunded_minor == 0
    assert await bought.kinds() == ["PURCHASE", "CLAWBACK", "REINSTATEMENT"]
    assert await bought.audited() == ["purchase.refunded", "purchase.refund_failed"]
    await check_ledger(own_backend)


async def test_a_refund_of_a_payment_that_is_not_ours_changes_nothing(backend: RunningBackend) -> None:
    bought = await buy(backend)
    other = await bought.stripe.v1.payment_intents.create_async(
        {"amount": 700, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
    )

    await bought.stripe.v1.refunds.create_async({"payment_intent": other.id})
    await bought.refund_at_stripe(100)

    await bought.reclaimed(bought.credits // 5)
    assert await bought.available() == bought.credits - bought.credits // 5


async def _looked(bought: Bought) -> bool:
    return (await bought.invoice()).money_checks > 0


def _spend(bought: Bought, amount: int) -> Spend:
    return Spend(workspace_id=bought.person.workspace_id, amount=amount, description="Use")
