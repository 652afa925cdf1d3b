"""Disputes: opened, won, lost, in part, beside refunds; an inquiry takes nothing."""

from __future__ import annotations

import pytest

from app.db.tables.purchases import PurchaseStatus
from app.ledger.movements import Spend
from app.payments.gateway_values import DisputeStatus, ProviderDispute, ProviderRefund, RefundStatus, ReturnedMoney
from tests.support import operations
from tests.support.client import eventually
from tests.support.returned_money import Bought, apply, buy, check_ledger
from tests.support.running_backend import RunningBackend


async def test_an_opened_dispute_takes_the_disputed_share_back(backend: RunningBackend) -> None:
    bought = await buy(backend)

    await bought.dispute()

    row = await bought.reclaimed(bought.credits)
    assert (row.status, row.disputed_minor) == (PurchaseStatus.DISPUTED, bought.total_minor)
    assert (await bought.available(), await bought.kinds()) == (0, ["PURCHASE", "CLAWBACK"])
    assert (await bought.invoice()).amount_refunded_minor == 0
    assert await bought.audited() == ["purchase.disputed"]
    await check_ledger(backend)


async def test_a_part_in_dispute_takes_its_share_rounded_down(backend: RunningBackend) -> None:
    bought = await buy(backend)

    await bought.dispute(123)

    row = await bought.reclaimed(bought.credits * 123 // 500)
    assert row.status == PurchaseStatus.DISPUTED


async def test_a_card_that_disputes_by_itself_is_noticed(own_backend: RunningBackend) -> None:
    bought = await buy(own_backend, "pm_card_createDispute")

    await own_backend.advance("PT1M")

    row = await bought.reclaimed(bought.credits)
    assert row.status == PurchaseStatus.DISPUTED
    await check_ledger(own_backend)


async def test_a_dispute_won_gives_exactly_back_what_was_taken(backend: RunningBackend) -> None:
    bought = await buy(backend)
    dispute = await bought.dispute(123)
    await bought.reclaimed(bought.credits * 123 // 500)

    await bought.decide(dispute, "won")

    row = await bought.reclaimed(0)
    assert (row.status, row.disputed_minor) == (PurchaseStatus.SUCCEEDED, 0)
    assert await bought.available() == bought.credits
    assert await bought.kinds() == ["PURCHASE", "CLAWBACK", "REINSTATEMENT"]
    assert await bought.audited() == ["purchase.disputed", "purchase.dispute_won"]
    await check_ledger(backend)


async def test_a_dispute_won_pays_the_debt_that_it_had_made(backend: RunningBackend) -> None:
    bought = await buy(backend)
    await bought.post(Spend(workspace_id=bought.person.workspace_id, amount=bought.credits - 1_000, description="Use"))
    dispute = await bought.dispute()
    await bought.reclaimed(bought.credits)
    assert await bought.available() == 1_000 - bought.credits

    await bought.decide(dispute, "won")

    await bought.reclaimed(0)
    balance = await bought.balance()
    assert (balance.available, [grant.remaining for grant in balance.grants]) == (1_000, [1_000])
    await check_ledger(backend)


async def test_a_dispute_lost_stays_taken_and_the_purchase_stays_disputed(backend: RunningBackend) -> None:
    bought = await buy(backend)
    dispute = await bought.dispute()
    await bought.reclaimed(bought.credits)

    await bought.decide(dispute, "lost")

    await eventually(lambda: _lost(bought))
    row = await bought.row()
    assert (row.status, row.reclaimed_credits) == (PurchaseStatus.DISPUTED, bought.credits)
    assert await bought.available() == 0
    assert await bought.audited() == ["purchase.disputed", "purchase.dispute_lost"]
    await check_ledger(backend)


async def test_a_refund_and_a_dispute_together_take_no_more_than_was_bought(backend: RunningBackend) -> None:
    bought = await buy(backend)
    await bought.refund_at_stripe(200)
    await bought.reclaimed(bought.credits * 2 // 5)

    dispute = await bought.dispute()
    row = await bought.reclaimed(bought.credits)
    assert row.status == PurchaseStatus.DISPUTED

    # the status goes back to what it was, and of the credits what the refund took stays taken
    await bought.decide(dispute, "won")
    row = await bought.reclaimed(bought.credits * 2 // 5)
    assert row.status == PurchaseStatus.SUCCEEDED
    await check_ledger(backend)


async def test_open_screens_see_a_dispute_opened_and_won(backend: RunningBackend) -> None:
    bought = await buy(backend)
    async with backend.api.socket(bought.person.token) as socket:
        await socket.subscribe(operations.WATCH_PURCHASE, {"id": bought.global_id})
        dispute = await bought.dispute()
        opened = await socket.until(lambda state: state["status"] == "DISPUTED")
        await bought.decide(dispute, "won")
        won = await socket.until(lambda state: state["status"] == "SUCCEEDED")
    assert int(won["version"]) > int(opened["version"])


# What Stripe may have of a payment of 5.00: refunds that succeeded, disputes, and what then is taken and said.
STATES = [
    pytest.param([], [(DisputeStatus.INQUIRY, 500)], 0, PurchaseStatus.SUCCEEDED, id="an inquiry takes nothing"),
    pytest.param([], [(DisputeStatus.OPEN, 500)], 500, PurchaseStatus.DISPUTED, id="open"),
    pytest.param([], [(DisputeStatus.WON, 500)], 0, PurchaseStatus.SUCCEEDED, id="won"),
    pytest.param([], [(DisputeStatus.LOST, 500)], 500, PurchaseStatus.DISPUTED, id="lost"),
    pytest.param(
        [500], [(DisputeStatus.OPEN, 500)], 500, PurchaseStatus.DISPUTED, id="refunded, then disputed in full"
    ),
    pytest.param([500], [(DisputeStatus.WON, 500)], 500, PurchaseStatus.REFUNDED, id="refunded, and a dispute won"),
    pytest.param([300], [(DisputeStatus.LOST, 400)], 500, PurchaseStatus.DISPUTED, id="more than was paid, together"),
    pytest.param(
        [], [(DisputeStatus.OPEN, 650)], 500, PurchaseStatus.DISPUTED, id="more than was paid, by exchange rate"
    ),
    pytest.param([], [(DisputeStatus.LOST, 100), (DisputeStatus.OPEN, 150)], 250, PurchaseStatus.DISPUTED, id="two"),
    pytest.param([499], [], 499, PurchaseStatus.SUCCEEDED, id="refunded but for a cent"),
    pytest.param([250, 250], [], 500, PurchaseStatus.REFUNDED, id="refunded in halves"),
]


@pytest.mark.parametrize(("refunded", "disputes", "returned", "status"), STATES)
async def test_what_is_taken_follows_from_the_state_at_stripe_alone(
    backend: RunningBackend,
    refunded: list[int],
    disputes: list[tuple[DisputeStatus, int]],
    returned: int,
    status: PurchaseStatus,
) -> None:
    bought = await buy(backend)
    state = ReturnedMoney(
        payment_id=bought.payment_id,
        left_minor=500 - sum(refunded),
        refunds=tuple(
            ProviderRefund(f"re_{at}", amount, RefundStatus.SUCCEEDED, None, None) for at, amount in enumerate(refunded)
        ),
        disputes=tuple(ProviderDispute(f"dp_{at}", amount, stands) for at, (stands, amount) in enumerate(disputes)),
    )

    await apply(bought, state)
    row = await bought.row()
    assert (row.reclaimed_credits, row.status) == (bought.credits * returned // 500, status)
    assert await bought.available() == bought.credits - row.reclaimed_credits

    # seen once more it changes nothing
    await apply(bought, state)
    assert (await bought.row()).version == row.version

    # and all of it comes back when Stripe says that none of it is so
    await apply(bought, ReturnedMoney(bought.payment_id, 500, (), ()))
    row = await bought.row()
    assert (row.reclaimed_credits, row.status) == (0, PurchaseStatus.SUCCEEDED)
    assert await bought.available() == bought.credits
    await check_ledger(backend)


async def _lost(bought: Bought) -> bool:
    return (await bought.row()).lost_minor == bought.total_minor
