"""Stripe as the payment gateway, through its official SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, TypeVar, cast

import stripe

from app.payments.gateway import (
    Card,
    Charge,
    GatewayRefused,
    GatewayUnavailable,
    Price,
    Product,
    ProviderEvent,
    ProviderInvoice,
    TaxRate,
    Wallet,
    WebhookEndpoint,
)
from app.payments.stripe_values import event_value, invoice_value

T = TypeVar("T")

_EXPAND_PAYMENT = ["payments.data.payment.payment_intent"]
_PAGE = 100
# Stripe's answers that mean "not now": too many requests, a lock held by another request, and its own failures
_PASSING = frozenset({409, 429, 500, 502, 503, 504})


class StripeGateway:
    """The gateway on a Stripe account, or on the sandbox that speaks Stripe's protocol.

    `base_url` is where the sandbox listens, None for Stripe itself; `timeout_seconds` bounds each request; `fault` is called with a
    name before and after each call that makes or moves something.
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str | None = None,
        timeout_seconds: float = 20.0,
        fault: Callable[[str], None] = lambda point: None,
    ) -> None:
        client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base_url} if base_url else None,
            http_client=stripe.HTTPXClient(timeout=timeout_seconds),
            max_network_retries=1,
        )
        self._stripe = client.v1
        self._fault = fault
        self._tax_rates: dict[str, stripe.TaxRate] = {}

    async def create_customer(self, *, workspace_id: str, name: str, email: str | None, key: str) -> str:
        params: dict[str, Any] = {"name": name, "metadata": {"workspace_id": workspace_id}}
        if email:
            params["email"] = email
        customer = await self._step(
            "create_customer", lambda: self._stripe.customers.create_async(cast(Any, params), _keyed(key))
        )
        return customer.id

    async def create_setup_intent(self, customer_id: str, *, key: str) -> str:
        params: Any = {"customer": customer_id, "allowed_payment_method_types": ["card"], "usage": "off_session"}
        intent = await self._step(
            "create_setup_intent", lambda: self._stripe.setup_intents.create_async(params, _keyed(key))
        )
        if intent.client_secret is None:
            raise GatewayRefused("the setup intent came without a client secret")
        return intent.client_secret

    async def wallet(self, customer_id: str) -> Wallet:
        customer = await _asked(lambda: self._stripe.customers.retrieve_async(customer_id))
        page = await _asked(
            lambda: self._stripe.customers.payment_methods.list_async(customer_id, {"type": "card", "limit": _PAGE})
        )
        methods = [method async for method in page.auto_paging_iter()]
        settings = None if getattr(customer, "deleted", False) else customer.invoice_settings
        default = settings.default_payment_method if settings else None
        cards = [_card(method) for method in sorted(methods, key=lambda method: (method.created, method.id))]
        return Wallet(tuple(cards), default if isinstance(default, str) or default is None else default.id)

    async def set_default_card(self, customer_id: str, card_id: str) -> None:
        await self._step(
            "set_default_card",
            lambda: self._stripe.customers.update_async(
                customer_id, {"invoice_settings": {"default_payment_method": card_id}}
            ),
        )

    async def detach_card(self, card_id: str) -> None:
        method = await _asked(lambda: self._stripe.payment_methods.retrieve_async(card_id))
        if method.customer is not None:
            await self._step("detach_card", lambda: self._stripe.payment_methods.detach_async(card_id))

    async def create_invoice(self, customer_id: str, *, currency: str, metadata: Mapping[str, str], key: str) -> str:
        invoice = await self._step(
            "create_invoice",
            lambda: self._stripe.invoices.create_async(
                {
                    "customer": customer_id,
                    "auto_advance": False,
                    "collection_method": "charge_automatically",
                    "pending_invoice_items_behavior": "exclude",
                    "currency": currency.lower(),
                    "metadata": dict(metadata),
                },
                _keyed(key),
            ),
        )
        return invoice.id

    async def add_charge(self, customer_id: str, invoice_id: str, charge: Charge, *, key: str) -> None:
        params: dict[str, Any] = {
            "customer": customer_id,
            "invoice": invoice_id,
            "description": charge.description,
            "quantity": 1,
            "tax_rates": list(charge.tax_rate_ids),
        }
        if charge.price_id is not None:
            params["pricing"] = {"price": charge.price_id}
        else:
            params["price_data"] = {
                "currency": charge.price.currency.lower(),
                "product": charge.product_id,
                "unit_amount": charge.price.minor,
                "tax_behavior": "inclusive" if charge.price_includes_tax else "exclusive",
            }
        await self._step("add_charge", lambda: self._stripe.invoice_items.create_async(cast(Any, params), _keyed(key)))

    async def finalize_invoice(self, invoice_id: str, *, key: str) -> ProviderInvoice:
        invoice = await self._step(
            "finalize_invoice",
            lambda: self._stripe.invoices.finalize_invoice_async(
                invoice_id, {"auto_advance": False, "expand": _EXPAND_PAYMENT}, _keyed(key)
            ),
        )
        return await self._value(invoice)

    async def pay_invoice(self, invoice_id: str, *, card_id: str, off_session: bool, key: str) -> ProviderInvoice:
        # A card error is an answer like any other: what became of the attempt is read from the invoice.
        with suppress(stripe.CardError):
            await self._step(
                "pay_invoice",
                lambda: self._stripe.invoices.pay_async(
                    invoice_id, {"payment_method": card_id, "off_session": off_session}, _keyed(key)
                ),
            )
        invoice = await self.invoice(invoice_id)
        if invoice is None:
            raise GatewayRefused(f"invoice {invoice_id} is gone")
        return invoice

    async def discard_invoice(self, invoice_id: str) -> ProviderInvoice | None:
        invoice = await self.invoice(invoice_id)
        if invoice is None:
            return None
        if invoice.status == "DRAFT":
            await self._step("delete_invoice", lambda: self._stripe.invoices.delete_async(invoice_id))
            return None
        if invoice.status == "VOID":
            return invoice
        voided = await self._step(
            "void_invoice", lambda: self._stripe.invoices.void_invoice_async(invoice_id, {"expand": _EXPAND_PAYMENT})
        )
        return await self._value(voided)

    async def invoice(self, invoice_id: str) -> ProviderInvoice | None:
        try:
            invoice = await _asked(
                lambda: self._stripe.invoices.retrieve_async(invoice_id, {"expand": _EXPAND_PAYMENT})
            )
        except GatewayRefused as refused:
            if isinstance(refused.__cause__, stripe.InvalidRequestError) and refused.__cause__.http_status == 404:
                return None
            raise
        return None if getattr(invoice, "deleted", False) else await self._value(invoice)

    async def find_invoices(self, customer_id: str, *, purchase_id: str) -> Sequence[ProviderInvoice]:
        page = await _asked(lambda: self._stripe.invoices.list_async({"customer": customer_id, "limit": _PAGE}))
        found = [
            invoice
            async for invoice in page.auto_paging_iter()
            if invoice.metadata is not None and invoice.metadata.to_dict().get("purchase_id") == purchase_id
        ]
        return [current for invoice in found if (current := await self.invoice(invoice.id)) is not None]

    async def invoice_of_payment(self, payment_id: str) -> str | None:
        page = await _asked(
            lambda: self._stripe.invoice_payments.list_async(
                {"payment": {"type": "payment_intent", "payment_intent": payment_id}, "limit": 1}
            )
        )
        if not page.data:
            return None
        invoice = page.data[0].invoice
        return invoice if isinstance(invoice, str) else invoice.id

    async def ensure_product(self, product: Product) -> None:
        try:
            existing = await _asked(lambda: self._stripe.products.retrieve_async(product.id))
        except GatewayRefused:
            await _asked(lambda: self._stripe.products.create_async({"id": product.id, "name": product.name}))
            return
        if existing.name != product.name:
            await _asked(lambda: self._stripe.products.update_async(product.id, {"name": product.name}))

    async def ensure_price(self, price: Price) -> str:
        page = await _asked(lambda: self._stripe.prices.list_async({"lookup_keys": [price.lookup_key], "limit": 1}))
        if page.data:
            return page.data[0].id
        params: dict[str, Any] = {
            "product": price.product_id,
            "currency": price.amount.currency.lower(),
            "unit_amount": price.amount.minor,
            "tax_behavior": "inclusive" if price.includes_tax else "exclusive",
            "lookup_key": price.lookup_key,
        }
        if price.interval is not None:
            params["recurring"] = {"interval": price.interval}
        made = await _asked(
            lambda: self._stripe.prices.create_async(cast(Any, params), _keyed(f"price:{price.lookup_key}"))
        )
        return made.id

    async def ensure_tax_rate(self, rate: TaxRate) -> str:
        page = await _asked(lambda: self._stripe.tax_rates.list_async({"active": True, "limit": _PAGE}))
        async for existing in page.auto_paging_iter():
            if existing.metadata is not None and existing.metadata.to_dict().get("counterfoil_key") == rate.key:
                return existing.id
        params: dict[str, Any] = {
            "display_name": rate.name,
            "percentage": rate.percent,
            "inclusive": rate.inclusive,
            "metadata": {"counterfoil_key": rate.key},
        }
        if rate.country is not None:
            params["country"] = rate.country
        made = await _asked(lambda: self._stripe.tax_rates.create_async(cast(Any, params), _keyed(f"tax:{rate.key}")))
        return made.id

    async def webhook_endpoints(self) -> Sequence[WebhookEndpoint]:
        page = await _asked(lambda: self._stripe.webhook_endpoints.list_async({"limit": _PAGE}))
        return [WebhookEndpoint(endpoint.id, endpoint.url, None) async for endpoint in page.auto_paging_iter()]

    async def create_webhook_endpoint(self, url: str, event_types: Sequence[str]) -> WebhookEndpoint:
        params = {"url": url, "enabled_events": list(event_types), "api_version": stripe.api_version}
        made = await _asked(lambda: self._stripe.webhook_endpoints.create_async(cast(Any, params)))
        return WebhookEndpoint(made.id, made.url, made.secret)

    async def delete_webhook_endpoint(self, endpoint_id: str) -> None:
        await _asked(lambda: self._stripe.webhook_endpoints.delete_async(endpoint_id))

    async def events_after(self, event_id: str | None, *, event_types: Sequence[str]) -> Sequence[ProviderEvent]:
        params: dict[str, Any] = {"types": list(event_types), "limit": _PAGE}
        if event_id is not None:
            # Stripe lists newest first: what ends before an event is what came after it.
            params["ending_before"] = event_id
        page = await _asked(lambda: self._stripe.events.list_async(cast(Any, params)))
        return [event_value(event) for event in reversed(page.data)]

    async def _value(self, invoice: stripe.Invoice) -> ProviderInvoice:
        rates = {
            total.tax_rate_details.tax_rate for total in invoice.total_taxes or () if total.tax_rate_details is not None
        }
        for rate in rates - self._tax_rates.keys():
            self._tax_rates[rate] = await _asked(lambda rate=rate: self._stripe.tax_rates.retrieve_async(rate))
        return invoice_value(
            invoice, {rate: (self._tax_rates[rate].display_name, _percent(self._tax_rates[rate])) for rate in rates}
        )

    async def _step(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self._fault(f"stripe.{name}:before")
        try:
            return await _asked(call)
        finally:
            self._fault(f"stripe.{name}:after")


async def _asked(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except stripe.CardError:
        raise
    except stripe.APIConnectionError as error:
        raise GatewayUnavailable(str(error)) from error
    except stripe.StripeError as error:
        if error.http_status in _PASSING:
            raise GatewayUnavailable(str(error)) from error
        raise GatewayRefused(str(error)) from error


def _keyed(key: str) -> Any:
    return {"idempotency_key": key}


def _card(method: stripe.PaymentMethod) -> Card:
    card = method.card
    if card is None:
        return Card(method.id, None, None, None, None)
    return Card(method.id, card.brand, card.last4, card.exp_month, card.exp_year)


def _percent(rate: stripe.TaxRate) -> Decimal:
    return Decimal(str(rate.percentage))
