"""Paying an invoice."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import customer_with_card, new_customer, open_invoice
from tests.sandbox.invoices.expanded_intents import EXPAND_INTENT, intent_of
from tests.sandbox.refusals import refusal


async def test_a_good_card_pays(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    paid = await client.v1.invoices.pay_async(
        invoice.id, {"payment_method": method.id, "off_session": True, "expand": EXPAND_INTENT}
    )
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1000, 0)
    assert paid.status_transitions.paid_at is not None
    assert intent_of(paid).status == "succeeded"
    assert (await event_types(client, invoice.id))[-3:] == [
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        await client.v1.invoices.pay_async(invoice.id)


async def test_a_declined_card_leaves_the_invoice_open(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_chargeCustomerFail")
    invoice = await open_invoice(client, customer.id)
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})
    assert (declined.value.code, declined.value.http_status) == ("card_declined", 402)
    after = await client.v1.invoices.retrieve_async(invoice.id, {"expand": EXPAND_INTENT})
    assert (after.status, after.attempt_count, after.amount_remaining) == ("open", 1, 1000)
    assert intent_of(after).status == "requires_payment_method"


@pytest.mark.parametrize(
    ("off_session", "code"),
    [(False, "invoice_payment_intent_requires_action"), (True, "authentication_required")],
)
async def test_a_card_that_requires_authentication_pays_once_authenticated(
    client: stripe.StripeClient, web: httpx.AsyncClient, off_session: bool, code: str
) -> None:
    customer, method = await customer_with_card(client, "pm_card_authenticationRequired")
    invoice = await open_invoice(client, customer.id)
    with pytest.raises(stripe.CardError) as needed:
        await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id, "off_session": off_session})
    assert (needed.value.code, needed.value.http_status) == (code, 402)
    assert needed.value.error is not None
    intent = needed.value.error.payment_intent
    assert intent is not None
    assert intent.status == "requires_action"
    waiting = await client.v1.invoices.retrieve_async(invoice.id, {"expand": ["confirmation_secret"]})
    assert waiting.status == "open"
    assert waiting.confirmation_secret is not None
    assert waiting.confirmation_secret.client_secret == intent.client_secret
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    await web.post(str(intent.next_action.redirect_to_url.url), data={"outcome": "complete"})
    assert (await client.v1.invoices.retrieve_async(invoice.id)).status == "paid"
    charges = await client.v1.charges.list_async({"payment_intent": intent.id})
    assert len([charge for charge in charges.data if charge.paid]) == 1


async def test_stripe_js_pays_an_open_invoice_by_its_client_secret(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client)
    invoice = await open_invoice(client, customer.id)
    expanded = await client.v1.invoices.retrieve_async(invoice.id, {"expand": ["confirmation_secret", *EXPAND_INTENT]})
    assert expanded.confirmation_secret is not None
    form = {
        "payment_method": "pm_card_visa",
        "client_secret": expanded.confirmation_secret.client_secret,
        "key": "pk_test_browser",
    }
    answer = await web.post(f"/v1/payment_intents/{intent_of(expanded).id}/confirm", data=form)
    assert answer.json()["status"] == "succeeded"
    assert (await client.v1.invoices.retrieve_async(invoice.id)).status == "paid"


async def test_an_invoice_paid_out_of_band_is_paid_without_a_charge(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    paid = await client.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True, "expand": EXPAND_INTENT})
    assert (paid.status, paid.amount_paid, paid.amount_remaining, paid.attempted) == ("paid", 1000, 0, False)
    assert paid.amount_paid_off_stripe == 1000
    assert intent_of(paid).status == "canceled"
    assert paid.payments is not None
    assert paid.payments.data[0].status == "canceled"
    assert (await client.v1.charges.list_async({"customer": customer.id})).data == []
    assert (await event_types(client, invoice.id))[-3:] == [
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    await refusal(client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id}), "Invoice is already paid")
