"""Credit notes on open and on paid invoices."""

from __future__ import annotations

from typing import Any

import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import customer_with_card, open_invoice
from tests.sandbox.refusals import refusal
from tests.sandbox.subscriptions.subscribing import subscribe


async def test_a_credit_note_on_an_open_invoice_lowers_what_the_card_is_charged(client: stripe.StripeClient) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id, 1000)
    note = await client.v1.credit_notes.create_async({"invoice": str(invoice.id), "amount": 300})
    assert (note.type, note.pre_payment_amount, note.number) == ("pre_payment", 300, f"{invoice.number}-CN-01")

    paid = await client.v1.invoices.pay_async(str(invoice.id))
    assert (paid.status, paid.amount_paid, paid.total) == ("paid", 700, 1000)
    [charge] = (await client.v1.charges.list_async({"customer": customer.id})).data
    assert charge.amount == 700


async def test_an_open_invoice_credited_as_a_whole_is_paid_without_a_charge(client: stripe.StripeClient) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id, 1000)
    await client.v1.credit_notes.create_async({"invoice": str(invoice.id), "amount": 1000})
    paid = await client.v1.invoices.retrieve_async(str(invoice.id))
    assert (paid.status, paid.amount_paid, paid.pre_payment_credit_notes_amount) == ("paid", 0, 1000)


async def test_a_credit_note_on_a_paid_invoice_gives_back_to_the_card_and_to_the_balance(
    client: stripe.StripeClient,
) -> None:
    subscription = await subscribe(client, 1000)
    invoice = str(subscription.latest_invoice)
    note = await client.v1.credit_notes.create_async(
        {"invoice": invoice, "amount": 500, "refund_amount": 300, "credit_amount": 200}
    )
    assert (note.type, note.post_payment_amount, note.refunds[0].amount_refunded) == ("post_payment", 500, 300)
    customer = str(subscription.customer)
    [charge] = (await client.v1.charges.list_async({"customer": customer})).data
    assert charge.amount_refunded == 300
    assert (await client.v1.customers.retrieve_async(customer)).balance == -200
    assert "credit_note.created" in await event_types(client, note.id)
    assert (await client.v1.invoices.retrieve_async(invoice)).post_payment_credit_notes_amount == 500


async def test_what_cant_be_credited_is_refused(client: stripe.StripeClient) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    opened = await open_invoice(client, customer.id, 1000)
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    paid = str((await subscribe(client, 1000)).latest_invoice)
    for params, param in (
        ({"invoice": opened.id, "amount": 1001}, "amount"),
        ({"invoice": opened.id, "amount": 0}, "amount"),
        ({"invoice": opened.id, "amount": 100, "refund_amount": 100}, "refund_amount"),
        ({"invoice": draft.id, "amount": 100}, "invoice"),
        ({"invoice": paid, "amount": 100, "refund_amount": 50}, "amount"),
        ({"invoice": paid, "amount": 1100, "credit_amount": 1100}, "amount"),
    ):
        given: Any = params
        refused = await refusal(client.v1.credit_notes.create_async(given))
        assert (refused.status, refused.param) == (400, param)
