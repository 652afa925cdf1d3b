"""The table of the API: each call with the SDK's type of its parameters, its handler, and the parameters acted upon."""

from __future__ import annotations

from sandbox.routes import (
    checkout,
    credit_notes,
    customers,
    discounts,
    invoices,
    payment_methods,
    payments,
    portal,
    previews,
    products,
    schedules,
    subscriptions,
    tax,
    webhooks,
)

ROUTES = (
    *customers.ROUTES,
    *payment_methods.ROUTES,
    *tax.ROUTES,
    *products.ROUTES,
    *payments.ROUTES,
    *discounts.ROUTES,
    *previews.ROUTES,
    *invoices.ROUTES,
    *credit_notes.ROUTES,
    *subscriptions.ROUTES,
    *schedules.ROUTES,
    *checkout.ROUTES,
    *portal.ROUTES,
    *webhooks.ROUTES,
)
