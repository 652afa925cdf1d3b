"""What many of these tests begin with: a customer, a card on file, an invoice to pay."""

from __future__ import annotations

from typing import Any

import stripe


async def new_customer(client: stripe.StripeClient, **given: Any) -> stripe.Customer:
    """Return a fresh customer."""
    params: Any = {"email": "ada@example.com", "name": "Ada"} | given
    return await client.v1.customers.create_async(params)


async def customer_with(client: stripe.StripeClient, token: str) -> tuple[stripe.Customer, stripe.PaymentMethod]:
    """Return a fresh customer with a test card attached and made default."""
    customer = await new_customer(client)
    method = await client.v1.payment_methods.attach_async(token, {"customer": customer.id})
    await client.v1.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    return customer, method


async def open_invoice(client: stripe.StripeClient, customer_id: str, amount: int = 1000) -> stripe.Invoice:
    """Return a finalized invoice over one line in EUR, untaxed."""
    draft = await client.v1.invoices.create_async({"customer": customer_id, "currency": "eur", "auto_advance": False})
    await client.v1.invoice_items.create_async(
        {"customer": customer_id, "invoice": draft.id, "amount": amount, "currency": "eur", "description": "Tokens"}
    )
    return await client.v1.invoices.finalize_invoice_async(draft.id)


async def paid_intent(
    client: stripe.StripeClient, amount: int = 1000, token: str = "pm_card_visa"
) -> stripe.PaymentIntent:
    """Return a payment intent that has succeeded."""
    return await client.v1.payment_intents.create_async(
        {"amount": amount, "currency": "eur", "payment_method": token, "confirm": True}
    )


async def event_types(client: stripe.StripeClient, object_id: str) -> list[str]:
    """Return the types of the latest events about an object, in the order they happened."""
    page = await client.v1.events.list_async({"limit": 100})
    return [event.type for event in reversed(page.data) if event.data.object.to_dict()["id"] == object_id]
