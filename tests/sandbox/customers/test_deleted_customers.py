"""What becomes of the things of a customer that was deleted."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.event_types import event_types, previous_attributes
from tests.sandbox.factories import customer_with_card, new_customer, open_invoice, open_session
from tests.sandbox.refusals import refusal


async def deleted_customer(client: stripe.StripeClient) -> str:
    customer = await new_customer(client)
    await client.v1.customers.delete_async(customer.id)
    return customer.id


async def test_nothing_new_is_made_for_a_deleted_customer(client: stripe.StripeClient) -> None:
    gone = await deleted_customer(client)
    calls = [
        client.v1.setup_intents.create_async({"customer": gone}),
        client.v1.payment_intents.create_async({"customer": gone, "amount": 100, "currency": "eur"}),
        client.v1.payment_methods.attach_async("pm_card_visa", {"customer": gone}),
        client.v1.invoices.create_async({"customer": gone}),
        client.v1.invoice_items.create_async({"customer": gone, "amount": 100, "currency": "eur"}),
        open_session(client, customer=gone),
        client.v1.checkout.sessions.create_async(
            {"mode": "setup", "customer": gone, "currency": "eur", "success_url": "https://shop.example"}
        ),
    ]
    for call in calls:
        assert await refusal(call, f"No such customer: '{gone}'") == (400, "resource_missing", "customer")


async def test_a_deleted_customer_is_missing_where_its_own_address_is_asked(client: stripe.StripeClient) -> None:
    gone = await deleted_customer(client)
    calls = [
        client.v1.customers.update_async(gone, {"name": "x"}),
        client.v1.customers.delete_async(gone),
        client.v1.customers.payment_methods.list_async(gone),
        client.v1.customers.tax_ids.list_async(gone),
        client.v1.customers.tax_ids.create_async(gone, {"type": "eu_vat", "value": "NL123456789B01"}),
    ]
    for call in calls:
        assert await refusal(call, f"No such customer: '{gone}'") == (404, "resource_missing", "id")
    assert (await client.v1.customers.retrieve_async(gone)).deleted is True


async def test_a_setup_intent_is_not_confirmed_once_its_customer_is_deleted(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    intent = await client.v1.setup_intents.create_async({"customer": customer.id})
    await client.v1.customers.delete_async(customer.id)
    refused = await refusal(client.v1.setup_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"}))
    assert refused == (400, "resource_missing", "customer")
    assert (await client.v1.setup_intents.retrieve_async(intent.id)).status == "requires_payment_method"


async def test_a_payment_intent_is_not_confirmed_once_its_customer_is_deleted(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    intent = await client.v1.payment_intents.create_async({"customer": customer.id, "amount": 100, "currency": "eur"})
    await client.v1.customers.delete_async(customer.id)
    refused = await refusal(client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"}))
    assert refused == (400, "resource_missing", "customer")
    assert (await client.v1.charges.list_async({"customer": customer.id})).data == []


@pytest.mark.parametrize("kind", ["setup", "payment"])
async def test_the_bank_completes_nothing_once_the_customer_is_deleted(
    client: stripe.StripeClient, web: httpx.AsyncClient, kind: str
) -> None:
    customer, method = await customer_with_card(client, "pm_card_authenticationRequired")
    if kind == "setup":
        intent = await client.v1.setup_intents.create_async(
            {"customer": customer.id, "payment_method": method.id, "confirm": True}
        )
    else:
        intent = await client.v1.payment_intents.create_async(
            {"customer": customer.id, "payment_method": method.id, "confirm": True, "amount": 100, "currency": "eur"}
        )
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    await client.v1.customers.delete_async(customer.id)
    answer = await web.post(str(intent.next_action.redirect_to_url.url), data={"outcome": "complete"})
    assert answer.status_code == 400
    assert (await client.v1.charges.list_async({"customer": customer.id})).data == []


async def test_its_cards_are_detached_for_good_and_told_before_it(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    await client.v1.customers.delete_async(customer.id)
    assert (await client.v1.payment_methods.retrieve_async(method.id)).customer is None
    assert (await event_types(client, method.id))[-1] == "payment_method.detached"
    assert await previous_attributes(client, "payment_method.detached", method.id) == {"customer": customer.id}
    another = await new_customer(client)
    await refusal(client.v1.payment_methods.attach_async(method.id, {"customer": another.id}), "may not be used again")
    page = await client.v1.events.list_async({"type": "customer.deleted", "limit": 1})
    told = page.data[0].data.object.to_dict()
    assert (told["id"], told["email"], told.get("deleted")) == (customer.id, customer.email, None)


@pytest.mark.parametrize("mode", ["payment", "setup"])
async def test_its_open_pages_expire_with_their_intents(
    client: stripe.StripeClient, web: httpx.AsyncClient, mode: str
) -> None:
    if mode == "payment":
        session = await open_session(client)
        await web.post(str(session.url), data={"card": "pm_card_chargeDeclined"})
    else:
        customer = await new_customer(client)
        session = await client.v1.checkout.sessions.create_async(
            {"mode": "setup", "customer": customer.id, "currency": "eur", "success_url": "https://shop.example"}
        )
    await client.v1.customers.delete_async(str(session.customer))
    after = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent", "setup_intent"]})
    intent = after.payment_intent or after.setup_intent
    assert isinstance(intent, stripe.PaymentIntent | stripe.SetupIntent)
    assert (after.status, intent.status) == ("expired", "canceled")
    assert await event_types(client, session.id) == ["checkout.session.expired"]
    assert (await web.post(str(session.url), data={"card": "pm_card_visa"})).status_code == 400


async def test_its_invoices_remain_to_be_called_off_or_paid_elsewhere_but_not_by_card(
    client: stripe.StripeClient,
) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoices = [await open_invoice(client, customer.id) for _ in range(3)]
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur"})
    await client.v1.customers.delete_async(customer.id)
    missing = (400, "resource_missing", "customer")
    assert await refusal(client.v1.invoices.pay_async(invoices[0].id, {"payment_method": method.id})) == missing
    assert await refusal(client.v1.invoices.finalize_invoice_async(draft.id)) == missing
    assert [(await client.v1.invoices.retrieve_async(invoice.id)).status for invoice in invoices] == ["open"] * 3
    assert (await client.v1.invoices.void_invoice_async(invoices[0].id)).status == "void"
    assert (await client.v1.invoices.mark_uncollectible_async(invoices[1].id)).status == "uncollectible"
    assert (await client.v1.invoices.pay_async(invoices[2].id, {"paid_out_of_band": True})).status == "paid"
    await client.v1.invoices.delete_async(draft.id)


async def test_its_invoices_are_not_collected_by_themselves_any_more_and_the_clock_goes_on(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, _ = await customer_with_card(client, "pm_card_visa")
    drafts = [
        await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur", "auto_advance": True})
        for _ in range(2)
    ]
    for draft in drafts:
        await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 900})
    await client.v1.invoices.finalize_invoice_async(drafts[0].id, {"auto_advance": True})
    await client.v1.customers.delete_async(customer.id)
    assert (await web.post("/_sandbox/clock", json={"advance_seconds": 7300})).status_code == 200
    after = [await client.v1.invoices.retrieve_async(draft.id) for draft in drafts]
    assert [(invoice.status, invoice.auto_advance) for invoice in after] == [("open", False), ("draft", False)]
    told = await previous_attributes(client, "invoice.updated", drafts[0].id)
    assert told["auto_advance"] is True
