"""What many of these tests need: a customer, a card, an invoice, a payment, a Checkout session, a tax rate."""

from __future__ import annotations

from typing import Any

import stripe

from sandbox.objects import Json


async def new_customer(client: stripe.StripeClient, **given: Any) -> stripe.Customer:
    """Return a new customer."""
    params: Any = {"email": "ada@example.com", "name": "Ada"} | given
    return await client.v1.customers.create_async(params)


async def customer_with_card(client: stripe.StripeClient, token: str) -> tuple[stripe.Customer, stripe.PaymentMethod]:
    """Return a new customer with a test card attached and made default."""
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


async def confirmed_intent(
    client: stripe.StripeClient, amount: int = 1000, token: str = "pm_card_visa"
) -> stripe.PaymentIntent:
    """Return a payment intent confirmed with a test card."""
    return await client.v1.payment_intents.create_async(
        {"amount": amount, "currency": "eur", "payment_method": token, "confirm": True}
    )


async def open_session(client: stripe.StripeClient, **given: Any) -> stripe.checkout.Session:
    """Return an open session in payment mode over 1,000 EUR cents including 21 % tax."""
    customer = await new_customer(client)
    rate = await client.v1.tax_rates.create_async({"display_name": "VAT", "inclusive": True, "percentage": 21})
    price_data = {"currency": "eur", "unit_amount": 1000, "product_data": {"name": "2,500,000 tokens"}}
    params: Any = {
        "mode": "payment",
        "customer": customer.id,
        "line_items": [{"price_data": price_data, "quantity": 1, "tax_rates": [rate.id]}],
        "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/back",
        "client_reference_id": "purchase-1",
        "metadata": {"purchase_id": "purchase-1"},
        "invoice_creation": {"enabled": True, "invoice_data": {"metadata": {"purchase_id": "purchase-1"}}},
        "payment_intent_data": {"metadata": {"purchase_id": "purchase-1"}, "setup_future_usage": "off_session"},
    }
    return await client.v1.checkout.sessions.create_async(params | given)


def tax_rate(percentage: str, *, inclusive: bool, rate_id: str = "txr_1") -> Json:
    """Return the fields of a tax rate that the arithmetic reads."""
    return {"id": rate_id, "inclusive": inclusive, "_percentage": percentage}
