"""Invoices: which can be changed, deleted, paid and found."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.factories import customer_with_card, new_customer, open_invoice
from tests.sandbox.refusals import refusal


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
    assert (await refusal(client.v1.invoices.retrieve_async(draft.id))) == (404, "resource_missing", "id")


async def test_paying_a_draft_finalizes_it_first(client: stripe.StripeClient) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 900})
    paid = await client.v1.invoices.pay_async(draft.id)
    assert (paid.status, paid.amount_paid, paid.attempt_count) == ("paid", 900, 1)
    assert paid.number is not None


async def test_a_finalized_invoice_is_changed_only_in_what_does_not_concern_its_money(
    client: stripe.StripeClient,
) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    wrong: list[Any] = [{"description": "x"}, {"footer": "x"}, {"statement_descriptor": "X"}]
    for change in wrong:
        refused = await refusal(
            client.v1.invoices.update_async(invoice.id, change), "Finalized invoices can't be updated"
        )
        assert refused == (400, None, next(iter(change)))
    await client.v1.invoices.update_async(
        invoice.id, {"metadata": {"a": "1"}, "default_payment_method": method.id, "auto_advance": False}
    )
    assert (await client.v1.invoices.pay_async(invoice.id)).status == "paid"
    await client.v1.invoices.update_async(invoice.id, {"metadata": {"a": "2"}})
    assert (await refusal(client.v1.invoices.update_async(invoice.id, {"auto_advance": True}))).param == "auto_advance"


async def test_an_invoice_to_be_sent_needs_a_due_date_which_the_sandbox_does_not_implement(
    client: stripe.StripeClient,
) -> None:
    customer = await new_customer(client)
    sending: Any = {"customer": customer.id, "collection_method": "send_invoice"}
    await refusal(client.v1.invoices.create_async(sending), "you must specify 'due_date'")
    await refusal(client.v1.invoices.create_async(sending | {"days_until_due": 30}), "does not implement")


async def test_the_lines_of_an_invoice_come_in_pages(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    for amount in (100, 200, 300):
        await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": amount})
    first = await client.v1.invoices.line_items.list_async(draft.id, {"limit": 2})
    assert ([line.amount for line in first.data], first.has_more) == ([100, 200], True)
    assert [line.amount async for line in first.auto_paging_iter()] == [100, 200, 300]
    await refusal(client.v1.invoices.line_items.list_async(draft.id, {"starting_after": "il_none"}))


async def test_an_invoice_is_found_by_its_payment(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)
    await client.v1.invoices.pay_async(invoice.id, {"payment_method": method.id})
    charge = (await client.v1.charges.list_async({"customer": customer.id})).data[0]
    assert isinstance(charge.payment_intent, str)
    found = await client.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": charge.payment_intent}}
    )
    assert [payment.invoice for payment in found.data] == [invoice.id]
