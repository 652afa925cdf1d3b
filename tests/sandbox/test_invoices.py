"""Invoices from draft to paid or voided."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.scenes import customer_with, event_types, new_customer, open_invoice

PAYMENT = ["payments.data.payment.payment_intent"]


def intent_of(invoice: stripe.Invoice) -> stripe.PaymentIntent:
    assert invoice.payments is not None
    intent = invoice.payments.data[0].payment.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    return intent


async def test_lines_take_their_own_rates_or_the_invoices(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    inclusive = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    exclusive = await client.v1.tax_rates.create_async(
        {"display_name": "Sales tax", "inclusive": False, "percentage": 8.875}
    )
    draft = await client.v1.invoices.create_async(
        {"customer": customer.id, "currency": "eur", "default_tax_rates": [inclusive.id]}
    )
    product = await client.v1.products.create_async({"name": "Standard pack"})
    price = await client.v1.prices.create_async({"product": product.id, "currency": "eur", "unit_amount": 500})
    await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 1000})
    await client.v1.invoice_items.create_async(
        {
            "customer": customer.id,
            "invoice": draft.id,
            "pricing": {"price": price.id},
            "quantity": 2,
            "tax_rates": [exclusive.id],
        }
    )
    invoice = await client.v1.invoices.finalize_invoice_async(draft.id)
    assert [line.amount for line in invoice.lines.data] == [1000, 1000]
    assert [line.description for line in invoice.lines.data] == [None, "Standard pack"]
    assert invoice.total_taxes is not None
    assert [(tax.amount, tax.tax_behavior) for tax in invoice.total_taxes] == [(174, "inclusive"), (89, "exclusive")]
    assert (invoice.subtotal, invoice.total, invoice.amount_due) == (2000, 2089, 2089)
    assert invoice.total_excluding_tax == 1826
    pricing = invoice.lines.data[1].pricing
    assert pricing is not None
    assert pricing.price_details is not None
    assert (pricing.price_details.price, pricing.price_details.product) == (price.id, product.id)


async def test_numbers_count_up_per_customer(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    numbers = [(await open_invoice(client, customer.id)).number for _ in range(2)]
    assert numbers == [f"{customer.invoice_prefix}-0001", f"{customer.invoice_prefix}-0002"]


async def test_a_good_card_pays(client: stripe.StripeClient) -> None:
    customer, method = await customer_with(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    paid = await client.v1.invoices.pay_async(
        invoice.id, {"payment_method": method.id, "off_session": True, "expand": PAYMENT}
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
    customer, method = await customer_with(client, "pm_card_chargeCustomerFail")
    invoice = await open_invoice(client, customer.id)
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})
    assert (declined.value.code, declined.value.http_status) == ("card_declined", 402)
    after = await client.v1.invoices.retrieve_async(invoice.id, {"expand": PAYMENT})
    assert (after.status, after.attempt_count, after.amount_remaining) == ("open", 1, 1000)
    assert intent_of(after).status == "requires_payment_method"


@pytest.mark.parametrize(
    ("off_session", "code"),
    [(False, "invoice_payment_intent_requires_action"), (True, "authentication_required")],
)
async def test_a_card_that_asks_for_its_holder_leaves_the_intent_waiting_and_pays_once_authenticated(
    client: stripe.StripeClient, web: httpx.AsyncClient, off_session: bool, code: str
) -> None:
    customer, method = await customer_with(client, "pm_card_authenticationRequired")
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
    expanded = await client.v1.invoices.retrieve_async(invoice.id, {"expand": ["confirmation_secret", *PAYMENT]})
    assert expanded.confirmation_secret is not None
    form = {
        "payment_method": "pm_card_visa",
        "client_secret": expanded.confirmation_secret.client_secret,
        "key": "pk_test_browser",
    }
    answer = await web.post(f"/v1/payment_intents/{intent_of(expanded).id}/confirm", data=form)
    assert answer.json()["status"] == "succeeded"
    assert (await client.v1.invoices.retrieve_async(invoice.id)).status == "paid"


async def test_a_voided_invoice_cancels_its_intent_and_cannot_be_paid(client: stripe.StripeClient) -> None:
    customer, method = await customer_with(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    voided = await client.v1.invoices.void_invoice_async(invoice.id, {"expand": PAYMENT})
    assert voided.status == "void"
    assert intent_of(voided).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})


async def test_only_drafts_are_edited_and_deleted(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    invoice = await open_invoice(client, customer.id)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": invoice.id, "amount": 1})
    assert refused.value.code == "invoice_not_editable"
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.delete_async(invoice.id)
    draft = await client.v1.invoices.create_async({"customer": customer.id})
    await client.v1.invoices.delete_async(draft.id)
    assert (await client.v1.invoices.retrieve_async(draft.id)).deleted is True


async def test_pending_items_join_the_next_invoice_that_includes_them(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    await client.v1.invoice_items.create_async({"customer": customer.id, "amount": 700, "currency": "eur"})
    without = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    included = await client.v1.invoices.create_async(
        {"customer": customer.id, "currency": "eur", "pending_invoice_items_behavior": "include"}
    )
    assert (without.total, included.total) == (0, 700)


async def test_credit_of_the_customer_pays_first_and_returns_when_voided(client: stripe.StripeClient) -> None:
    customer = await new_customer(client, balance=-300)
    invoice = await open_invoice(client, customer.id)
    assert (invoice.starting_balance, invoice.ending_balance, invoice.amount_due) == (-300, 0, 700)
    await client.v1.invoices.void_invoice_async(invoice.id)
    assert (await client.v1.customers.retrieve_async(customer.id)).balance == -300


async def test_an_amount_too_small_to_charge_counts_as_paid_and_is_carried_over(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    invoice = await open_invoice(client, customer.id, 49)
    assert (invoice.status, invoice.amount_paid, invoice.ending_balance) == ("paid", 0, 49)
    assert (await open_invoice(client, customer.id, 100)).amount_due == 149


async def test_a_draft_cannot_be_paid(client: stripe.StripeClient) -> None:
    customer, _ = await customer_with(client, "pm_card_visa")
    draft = await client.v1.invoices.create_async({"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.invoices.pay_async(draft.id)


async def test_the_hosted_page_can_be_read_paid_and_printed(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, _ = await customer_with(client, "pm_card_visa")
    await client.v1.customers.update_async(customer.id, {"name": "<Ada & Söhne>"})
    invoice = await open_invoice(client, customer.id, 121000)
    page = await web.get(str(invoice.hosted_invoice_url))
    assert str(invoice.number) in page.text
    assert "1,210.00 EUR" in page.text
    assert "&lt;Ada &amp; Söhne&gt;" in page.text
    paid = await web.post(str(invoice.hosted_invoice_url))
    assert "Status: paid" in paid.text
    pdf = await web.get(str(invoice.invoice_pdf))
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    wrong = await web.get(f"/invoices/{invoice.id}/wrong")
    assert wrong.status_code == 404


async def test_an_advancing_invoice_finalizes_and_pays_itself_as_time_goes_by(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, _ = await customer_with(client, "pm_card_visa")
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur", "auto_advance": True})
    await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 900})
    await web.post("/_sandbox/clock", json={"advance_seconds": 3601})
    assert (await client.v1.invoices.retrieve_async(draft.id)).status == "open"
    await web.post("/_sandbox/clock", json={"advance_seconds": 3601})
    after = await client.v1.invoices.retrieve_async(draft.id)
    assert after.status == "paid"
    assert after.status_transitions.paid_at == after.created + 7200
