"""Customers and cards in Stripe."""

from __future__ import annotations

from typing import Any

import stripe

from app.payments.gateway_errors import GatewayMissing, GatewayRefused, MissingObject
from app.payments.gateway_values import Card, CustomerDetails, Wallet
from app.payments.stripe_calls import PAGE, StripeCalls, keyed


class StripeCustomers(StripeCalls):
    """Customers and their cards."""

    async def create_customer(self, *, workspace_id: str, key: str) -> str:
        params: Any = {"metadata": {"workspace_id": workspace_id}}
        customer = await self.step("create_customer", lambda: self.stripe.customers.create_async(params, keyed(key)))
        return customer.id

    async def update_customer(self, customer_id: str, *, name: str, email: str | None) -> None:
        try:
            await self._write(customer_id, name, email)
        except GatewayRefused as refused:
            cause = refused.__cause__
            if not isinstance(cause, stripe.InvalidRequestError) or cause.code != "email_invalid":
                raise
            # an address that can be mailed to here and that Stripe does not take must not keep anyone from paying
            await self._write(customer_id, name, None)

    async def _write(self, customer_id: str, name: str, email: str | None) -> None:
        # Without a key of ours: each write says everything, and a key that was used before would make Stripe ignore it. An empty
        # text unsets.
        await self.step(
            "update_customer",
            lambda: self.stripe.customers.update_async(customer_id, {"name": name, "email": email or ""}),
        )

    async def delete_customer(self, customer_id: str) -> None:
        try:
            await self.step("delete_customer", lambda: self.stripe.customers.delete_async(customer_id))
        except GatewayMissing:
            return

    async def create_setup_intent(self, customer_id: str, *, key: str) -> str:
        params: Any = {"customer": customer_id, "allowed_payment_method_types": ["card"], "usage": "off_session"}
        intent = await self.step(
            "create_setup_intent", lambda: self.stripe.setup_intents.create_async(params, keyed(key))
        )
        if intent.client_secret is None:
            raise GatewayRefused("the setup intent came without a client secret")
        return intent.client_secret

    async def customer_details(self, customer_id: str) -> CustomerDetails:
        customer = await self._retrieve(customer_id)
        return CustomerDetails(getattr(customer, "name", None), customer.email)

    async def wallet(self, customer_id: str) -> Wallet:
        customer = await self._retrieve(customer_id)
        page = await self.step(
            "list_cards",
            lambda: self.stripe.customers.payment_methods.list_async(customer_id, {"type": "card", "limit": PAGE}),
        )
        methods = [method async for method in page.auto_paging_iter()]
        settings = customer.invoice_settings
        default = settings.default_payment_method if settings else None
        # of two saved within one second the later one is listed first, and sorting keeps their order
        methods.reverse()
        cards = [_card(method) for method in sorted(methods, key=lambda method: method.created)]
        return Wallet(tuple(cards), default if isinstance(default, str) or default is None else default.id)

    async def _retrieve(self, customer_id: str) -> stripe.Customer:
        customer = await self.step("retrieve_customer", lambda: self.stripe.customers.retrieve_async(customer_id))
        if getattr(customer, "deleted", False):
            raise GatewayMissing(f"customer {customer_id} was deleted", MissingObject.CUSTOMER)
        return customer

    async def set_default_card(self, customer_id: str, card_id: str) -> None:
        await self.step(
            "set_default_card",
            lambda: self.stripe.customers.update_async(
                customer_id, {"invoice_settings": {"default_payment_method": card_id}}
            ),
        )

    async def detach_card(self, card_id: str) -> None:
        method = await self.step("retrieve_card", lambda: self.stripe.payment_methods.retrieve_async(card_id))
        if method.customer is None:
            return
        try:
            await self.step("detach_card", lambda: self.stripe.payment_methods.detach_async(card_id))
        except GatewayRefused:
            # another caller was faster
            again = await self.step("retrieve_card", lambda: self.stripe.payment_methods.retrieve_async(card_id))
            if again.customer is not None:
                raise


def _card(method: stripe.PaymentMethod) -> Card:
    card = method.card
    if card is None:
        return Card(method.id, None, None, None, None, None)
    return Card(method.id, card.brand, card.last4, card.exp_month, card.exp_year, card.fingerprint)
