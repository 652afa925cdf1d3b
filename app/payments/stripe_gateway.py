"""Stripe as the payment gateway, through its official SDK."""

from __future__ import annotations

from collections.abc import Callable

import stripe

from app.payments.stripe_catalog import StripeCatalog
from app.payments.stripe_checkout import StripeCheckout
from app.payments.stripe_customers import StripeCustomers
from app.payments.stripe_event_endpoints import StripeEventEndpoints
from app.payments.stripe_invoices import StripeInvoices
from app.payments.stripe_portal import StripePortal
from app.payments.stripe_previews import StripePreviews
from app.payments.stripe_refunds import StripeRefunds
from app.payments.stripe_schedules import StripeSchedules
from app.payments.stripe_subscriptions import StripeSubscriptions
from app.payments.stripe_tax import StripeTax


class StripeGateway(
    StripeCustomers,
    StripeInvoices,
    StripeRefunds,
    StripeCheckout,
    StripeCatalog,
    StripeEventEndpoints,
    StripeSubscriptions,
    StripeSchedules,
    StripePreviews,
    StripePortal,
    StripeTax,
):
    """The gateway on a Stripe account, or on the sandbox that speaks Stripe's protocol."""


def stripe_gateway(
    api_key: str,
    *,
    base_url: str | None = None,
    timeout_seconds: float = 20.0,
    fault: Callable[[str], None] = lambda point: None,
) -> StripeGateway:
    """A gateway with `api_key`.

    `base_url` is where the sandbox listens, None for Stripe itself; `timeout_seconds` bounds each request; `fault` is called with a
    name before and after each call.
    """
    client = stripe.StripeClient(
        api_key,
        base_addresses={"api": base_url} if base_url else None,
        http_client=stripe.HTTPXClient(timeout=timeout_seconds),
        max_network_retries=1,
    )
    return StripeGateway(client.v1, fault)
