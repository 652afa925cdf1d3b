"""Invoices of subscriptions through the gateway: read, numbered without charging, paid early, called off."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from app.payments.gateway import Gateway
from app.payments.gateway_errors import GatewayRefused
from app.payments.gateway_values import InvoiceStatus, PaymentStatus, ProviderInvoice
from app.payments.subscription_values import ProviderSubscription
from tests.payments.changes import new_key, subscribed
from tests.sandbox.factories import new_customer
from tests.sandbox.subscriptions.subscribing import DAY, move_by, to_renewal, use_card


async def _renewed(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> tuple[ProviderSubscription, ProviderInvoice]:
    """A subscription just after its first period, and the draft of its renewal."""
    subscription = await subscribed(gateway, client)
    await to_renewal(web, await client.v1.subscriptions.retrieve_async(subscription.id), later=60)
    draft, _ = await gateway.subscription_invoices(subscription.id)
    assert draft.status is InvoiceStatus.DRAFT
    return subscription, draft


async def test_all_invoices_of_a_subscription_are_listed_its_drafts_too_newest_first(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription, draft = await _renewed(gateway, client, web)

    listed = await gateway.subscription_invoices(subscription.id)

    assert [each.status for each in listed] == [InvoiceStatus.DRAFT, InvoiceStatus.PAID]
    assert listed[0] == await gateway.invoice(draft.id)
    assert [each.subscription_id for each in listed] == [subscription.id] * 2
    assert listed[0].created_at >= subscription.items[0].period_end


async def test_a_renewals_draft_that_is_numbered_is_never_charged_by_itself(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription, draft = await _renewed(gateway, client, web)

    numbered = await gateway.finalize_invoice(draft.id, key=new_key())

    assert numbered.status is InvoiceStatus.OPEN
    assert numbered.number is not None
    await move_by(web, 10 * DAY)
    later = await gateway.invoice(draft.id)
    assert later is not None
    assert (later.status, later.attempt.status) == (InvoiceStatus.OPEN, PaymentStatus.NOT_ATTEMPTED)
    assert (await gateway.subscription(subscription.id)).items[0].period_start == subscription.items[0].period_end


async def test_a_renewals_draft_can_be_paid_before_its_hour_is_over(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription, draft = await _renewed(gateway, client, web)
    card = (await gateway.wallet(subscription.customer_id)).default_card_id or ""

    paid = await gateway.pay_invoice(draft.id, card_id=card, off_session=True, key=new_key())

    assert (paid.status, paid.amount_paid_minor) == (InvoiceStatus.PAID, 1000)


async def test_a_declined_renewals_draft_is_numbered_and_open(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription, draft = await _renewed(gateway, client, web)
    raw = await client.v1.subscriptions.retrieve_async(subscription.id)
    card = await use_card(client, raw, "pm_card_chargeCustomerFail")

    open_ = await gateway.pay_invoice(draft.id, card_id=card, off_session=True, key=new_key())

    assert (open_.status, open_.attempt.status) == (InvoiceStatus.OPEN, PaymentStatus.DECLINED)
    assert open_.number is not None


async def test_a_subscriptions_draft_is_called_off_by_voiding_it_and_one_of_a_purchase_by_deleting_it(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription, draft = await _renewed(gateway, client, web)
    once = await gateway.create_invoice(subscription.customer_id, currency="EUR", metadata={}, key=new_key())

    voided = await gateway.discard_invoice(draft.id)

    assert voided is not None
    assert voided.status is InvoiceStatus.VOID
    assert await gateway.discard_invoice(draft.id) == voided
    assert await gateway.discard_invoice(once) is None
    [charge] = (await client.v1.charges.list_async({"customer": subscription.customer_id})).data
    assert charge.amount == 1000


async def test_a_subscriptions_draft_with_nothing_due_is_paid_by_calling_it_off(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription, draft = await _renewed(gateway, client, web)
    await client.v1.customers.update_async(subscription.customer_id, {"balance": -5000})

    settled = await gateway.discard_invoice(draft.id)

    assert settled is not None
    assert (settled.status, settled.amount_paid_minor) == (InvoiceStatus.PAID, 0)


async def test_a_draft_that_stripe_numbers_at_the_same_moment_is_called_off_all_the_same(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, draft = await _renewed(gateway, client, web)
    finalize = stripe.InvoiceService.finalize_invoice_async

    async def second(self: stripe.InvoiceService, *given: Any, **named: Any) -> stripe.Invoice:
        await finalize(self, draft.id, {"auto_advance": False})
        return await finalize(self, *given, **named)

    monkeypatch.setattr(stripe.InvoiceService, "finalize_invoice_async", second)

    voided = await gateway.discard_invoice(draft.id)

    assert voided is not None
    assert voided.status is InvoiceStatus.VOID


async def test_a_paid_invoice_of_a_subscription_is_not_called_off(
    gateway: Gateway, client: stripe.StripeClient
) -> None:
    subscription = await subscribed(gateway, client)
    with pytest.raises(GatewayRefused):
        await gateway.discard_invoice(str(subscription.latest_invoice_id))


async def test_all_lines_of_an_invoice_are_read(gateway: Gateway, client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    for amount in range(1, 13):
        params: Any = {"customer": customer.id, "invoice": draft.id, "amount": amount, "currency": "eur"}
        await client.v1.invoice_items.create_async(params)
    assert len((await client.v1.invoices.retrieve_async(draft.id)).lines.data) == 10

    invoice = await gateway.invoice(draft.id)

    assert invoice is not None
    assert [line.amount_minor for line in invoice.lines] == list(range(1, 13))


async def test_a_line_comes_to_what_discounts_leave_of_it(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription = await subscribed(gateway, client, quantity=4)
    coupon = await client.v1.coupons.create_async({"percent_off": 25, "duration": "forever"})
    await client.v1.subscriptions.update_async(subscription.id, {"discounts": [{"coupon": coupon.id}]})

    [line] = (await gateway.preview_next(subscription.id)).lines

    assert (line.amount_minor, line.unit_amount_minor, line.quantity) == (3000, 750, 4)
