"""Payments that arrive after their purchase has ended: they go back in full, and grant nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import stripe

from app.db.tables.purchases import CreditPurchaseRow, PurchaseStatus, RefundState
from app.flows.purchases.payment_outcome import apply_payment_outcome
from app.flows.purchases.refunds import refund_late_payment
from app.ids import parse_global_id
from app.payments.gateway_errors import GatewayUnavailable
from app.payments.gateway_values import ProviderInvoice
from app.store import billing_accounts as billing_account_store
from app.store import purchases as purchase_store
from tests.support.returned_money import Bought, buy, check_ledger
from tests.support.running_backend import Person, RunningBackend
from tests.support.sandbox import sdk


@dataclass(frozen=True, slots=True)
class Late:
    """A purchase that failed, and the invoice for it that was paid all the same."""

    bought: Bought
    failed: CreditPurchaseRow
    invoice: ProviderInvoice

    async def now(self) -> ProviderInvoice:
        """The invoice, fetched again."""
        found = await self.bought.flow_context.gateway.invoice(self.invoice.id)
        assert found is not None
        return found


async def late_payment(backend: RunningBackend, card: str = "pm_card_visa") -> Late:
    """A declined purchase, and a paid invoice that says it is for that purchase; no event of it is delivered."""
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_chargeCustomerFail")
    declined = await backend.recharge(person)
    assert declined["purchase"]["status"] == "FAILED"
    purchase_id = parse_global_id(declined["purchase"]["id"]).id
    assert isinstance(purchase_id, UUID)
    await backend.sandbox.deliver("drop")
    paid = await _pay(backend, person, purchase_id, card)
    async with backend.database.read() as session:
        failed = await purchase_store.find(session, person.workspace_id, purchase_id)
    invoice = await backend.parts.flow_context.gateway.invoice(paid.id)
    assert failed is not None
    assert invoice is not None
    assert invoice.attempt.id is not None
    bought = Bought(backend, person, purchase_id, invoice.attempt.id, invoice.id, failed.credits, invoice.total_minor)
    return Late(bought, failed, invoice)


async def _pay(backend: RunningBackend, person: Person, purchase_id: UUID, card: str) -> stripe.Invoice:
    client = sdk(backend.sandbox.url, "sk_test_sandbox").v1
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    assert account.customer_id is not None
    method = await client.payment_methods.attach_async(card, {"customer": account.customer_id})
    params: Any = {
        "customer": account.customer_id,
        "currency": "eur",
        "auto_advance": False,
        "metadata": {"purchase_id": str(purchase_id)},
    }
    draft = await client.invoices.create_async(params)
    line: Any = {"customer": account.customer_id, "invoice": draft.id, "amount": 500, "currency": "eur"}
    await client.invoice_items.create_async(line)
    await client.invoices.finalize_invoice_async(draft.id)
    return await client.invoices.pay_async(draft.id, {"payment_method": method.id})


async def test_a_late_payment_goes_back_in_full_and_grants_nothing(backend: RunningBackend) -> None:
    late = await late_payment(backend)

    row = await apply_payment_outcome(late.bought.flow_context, late.failed, late.invoice)

    assert (row.status, row.charged_at, row.reclaimed_credits) == (PurchaseStatus.FAILED, None, 0)
    assert row.failure == "The payment arrived after the purchase had ended, and goes back to the card."
    assert row.version > late.failed.version
    [refund] = await late.bought.refunds_at_stripe()
    assert refund["amount"] == 500
    [made] = await late.bought.refund_rows()
    assert (made.status, made.provider_id) == (RefundState.SUCCEEDED, refund["id"])
    assert (await late.bought.invoice()).amount_refunded_minor == 500
    assert (await late.bought.available(), await late.bought.kinds()) == (0, [])
    await check_ledger(backend)


async def test_a_late_payment_reported_many_times_at_once_is_refunded_once(backend: RunningBackend) -> None:
    late = await late_payment(backend)

    await asyncio.gather(*(refund_late_payment(late.bought.flow_context, late.failed, late.invoice) for _ in range(5)))
    version = (await late.bought.row()).version
    await refund_late_payment(late.bought.flow_context, late.failed, await late.now())

    assert len(await late.bought.refunds_at_stripe()) == 1
    assert [each.status for each in await late.bought.refund_rows()] == [RefundState.SUCCEEDED]
    assert (await late.bought.row()).version == version
    assert await late.bought.available() == 0


async def test_what_was_refunded_of_a_late_payment_already_is_not_refunded_again(backend: RunningBackend) -> None:
    late = await late_payment(backend)
    await late.bought.refund_at_stripe(200)

    await refund_late_payment(late.bought.flow_context, late.failed, late.invoice)

    assert sorted(each["amount"] for each in await late.bought.refunds_at_stripe()) == [200, 300]


async def test_a_late_payment_that_is_disputed_is_left_to_the_bank(backend: RunningBackend) -> None:
    late = await late_payment(backend)
    await late.bought.dispute()

    row = await refund_late_payment(late.bought.flow_context, late.failed, late.invoice)

    assert (row.status, row.disputed_minor, row.reclaimed_credits) == (PurchaseStatus.FAILED, 500, 0)
    assert await late.bought.refunds_at_stripe() == []
    assert await late.bought.available() == 0


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error_500"])
async def test_a_late_payment_goes_back_once_though_stripe_fails_on_the_way(backend: RunningBackend, kind: str) -> None:
    late = await late_payment(backend)
    await backend.sandbox.fail(kind, "/v1/refunds", times=5)
    with pytest.raises(GatewayUnavailable):
        await refund_late_payment(late.bought.flow_context, late.failed, late.invoice)
    await backend.sandbox.restore()

    await refund_late_payment(late.bought.flow_context, late.failed, late.invoice)

    assert [each["amount"] for each in await late.bought.refunds_at_stripe()] == [500]
    assert [each.status for each in await late.bought.refund_rows()] == [RefundState.SUCCEEDED]
    assert await late.bought.available() == 0


async def test_a_late_payment_that_the_card_can_not_take_back_is_left_to_an_operator(
    own_backend: RunningBackend,
) -> None:
    late = await late_payment(own_backend, "pm_card_refundFail")
    await refund_late_payment(late.bought.flow_context, late.failed, late.invoice)
    await own_backend.sandbox.restore()
    await own_backend.advance("PT2M")

    await refund_late_payment(late.bought.flow_context, late.failed, await late.now())

    assert [each["status"] for each in await late.bought.refunds_at_stripe()] == ["failed"]
    assert await late.bought.audited() == ["purchase.refunded", "purchase.refund_failed"]


async def test_a_purchase_that_succeeded_is_no_late_payment(backend: RunningBackend) -> None:
    bought = await buy(backend)
    before = await bought.row()
    invoice = await bought.flow_context.gateway.invoice(bought.invoice_id)
    assert invoice is not None

    row = await refund_late_payment(bought.flow_context, before, invoice)

    assert (row.status, row.failure, row.version) == (PurchaseStatus.SUCCEEDED, None, before.version)
    assert await bought.refunds_at_stripe() == []
