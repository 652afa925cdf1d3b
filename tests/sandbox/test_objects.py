"""Every object has each field that the SDK's class promises, and shows none of the sandbox's own."""

from __future__ import annotations

import json
from typing import Any, Optional, Union, cast, get_args, get_origin

import httpx
import pytest
import stripe

from tests.sandbox.factories import customer_with_card, open_invoice

CLASSES: dict[str, type] = {
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "invoiceitem": stripe.InvoiceItem,
    "item": stripe.LineItem,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "price": stripe.Price,
    "product": stripe.Product,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "tax_id": stripe.TaxId,
    "tax_rate": stripe.TaxRate,
    "webhook_endpoint": stripe.WebhookEndpoint,
}


def promised_fields(kind: str) -> set[str]:
    """Return the fields that the SDK's class declares and that may not be None."""
    annotations = CLASSES[kind].__annotations__
    return {
        name
        for name, hint in annotations.items()
        if name.islower() and not name.startswith("_") and not is_optional(hint)
    }


def is_optional(hint: Any) -> bool:
    if isinstance(hint, str):
        return hint.startswith("Optional")
    return get_origin(hint) in (Optional, Union) and type(None) in get_args(hint)


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return all objects of Stripe within a JSON value."""
    if isinstance(value, list):
        return [found for entry in cast("list[Any]", value) for found in objects_in(entry)]
    if not isinstance(value, dict):
        return []
    fields = cast("dict[str, Any]", value)
    kind = fields.get("object")
    own = [fields] if isinstance(kind, str) and kind in CLASSES and not fields.get("deleted") else []
    return own + [found for entry in fields.values() for found in objects_in(entry)]


async def test_every_object_has_the_fields_that_the_sdk_promises(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    await client.v1.customers.tax_ids.create_async(customer.id, {"type": "eu_vat", "value": "NL123456789B01"})
    await client.v1.setup_intents.create_async({"customer": customer.id, "payment_method": method.id, "confirm": True})
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    price_data: Any = {"currency": "eur", "unit_amount": 1000, "product_data": {"name": "Pack"}}
    session = await client.v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "customer": customer.id,
            "line_items": [{"price_data": price_data, "quantity": 1, "tax_rates": [rate.id]}],
            "success_url": "https://shop.example",
            "invoice_creation": {"enabled": True},
        }
    )
    await web.post(str(session.url), data={"card": "pm_card_visa"})
    done = await client.v1.checkout.sessions.retrieve_async(
        session.id, {"expand": ["line_items", "invoice.payments", "payment_intent.latest_charge"]}
    )
    invoice = await open_invoice(client, customer.id)
    paid = await client.v1.invoices.pay_async(invoice.id, {"expand": ["payments.data.payment.payment_intent"]})
    assert paid.payments is not None
    charge = (await client.v1.charges.list_async({"customer": customer.id})).data[0]
    await client.v1.refunds.create_async({"charge": charge.id, "amount": 1})
    dispute = (await web.post("/_sandbox/disputes", json={"charge": charge.id})).json()
    endpoint = await client.v1.webhook_endpoints.create_async(
        {"url": "http://127.0.0.1:1/webhook", "enabled_events": ["product.deleted"]}
    )
    await client.v1.webhook_endpoints.delete_async(endpoint.id)
    events = await client.v1.events.list_async({"limit": 100})
    seen = objects_in([json.loads(str(answer)) for answer in (done, paid, endpoint, events)] + [dispute])
    assert {entry["object"] for entry in seen} == CLASSES.keys()
    missing = {
        (entry["object"], name)
        for entry in seen
        for name in promised_fields(entry["object"])
        if entry.get(name) is None
    }
    assert missing == set()


@pytest.mark.parametrize("kind", CLASSES)
def test_the_promised_fields_are_read_from_the_sdk(kind: str) -> None:
    assert {"id", "object"} <= promised_fields(kind)


async def test_the_sandboxs_own_fields_are_never_shown(client: stripe.StripeClient) -> None:
    _, method = await customer_with_card(client, "pm_card_visa")
    events = await client.v1.events.list_async({"limit": 20})
    assert '"_card"' not in str(method)
    assert '"_card"' not in str(events)
