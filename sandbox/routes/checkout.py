"""Routes of Checkout, of refunds and disputes, and of events."""

from __future__ import annotations

from stripe import params as p
from stripe.params import checkout as p_checkout

from sandbox.calls import PAGING, PAGING_UNDATED, Route, listing, retrieve
from sandbox.resources.checkout import sessions as checkout
from sandbox.resources.payments import refunds
from sandbox.resources.webhooks import webhook_endpoints

_CHECKOUT = (
    "allowed_payment_method_types automatic_tax.enabled billing_address_collection cancel_url client_reference_id currency"
    " customer customer_update.address customer_update.name expires_at invoice_creation.enabled"
    " invoice_creation.invoice_data.description invoice_creation.invoice_data.footer"
    " invoice_creation.invoice_data.metadata line_items.price line_items.price_data line_items.quantity"
    " line_items.tax_rates locale metadata mode payment_intent_data.description payment_intent_data.metadata"
    " payment_intent_data.setup_future_usage setup_intent_data.description setup_intent_data.metadata submit_type"
    " success_url ui_mode"
)

CHECKOUT = (
    Route("POST", "/v1/checkout/sessions", p_checkout.SessionCreateParams, checkout.create, _CHECKOUT),
    Route(
        "GET",
        "/v1/checkout/sessions",
        p_checkout.SessionListParams,
        listing("checkout.session", "customer", "payment_intent", "status"),
        f"{PAGING} customer payment_intent status",
    ),
    Route("GET", "/v1/checkout/sessions/{id}", p_checkout.SessionRetrieveParams, retrieve("checkout.session")),
    Route(
        "GET",
        "/v1/checkout/sessions/{id}/line_items",
        p_checkout.SessionLineItemListParams,
        checkout.list_line_items,
        "limit",
    ),
    Route("POST", "/v1/checkout/sessions/{id}/expire", p_checkout.SessionExpireParams, checkout.expire_call),
)

REVERSALS = (
    Route("POST", "/v1/refunds", p.RefundCreateParams, refunds.create, "amount charge metadata payment_intent reason"),
    Route(
        "GET",
        "/v1/refunds",
        p.RefundListParams,
        listing("refund", "charge", "payment_intent"),
        f"{PAGING} charge payment_intent",
    ),
    Route("GET", "/v1/refunds/{id}", p.RefundRetrieveParams, retrieve("refund")),
    Route("POST", "/v1/refunds/{id}", p.RefundUpdateParams, refunds.update, "metadata"),
    Route(
        "GET",
        "/v1/disputes",
        p.DisputeListParams,
        listing("dispute", "charge", "payment_intent"),
        f"{PAGING} charge payment_intent",
    ),
    Route("GET", "/v1/disputes/{id}", p.DisputeRetrieveParams, retrieve("dispute")),
)

_ENDPOINT = "description enabled_events metadata url"

EVENTS = (
    Route(
        "POST",
        "/v1/webhook_endpoints",
        p.WebhookEndpointCreateParams,
        webhook_endpoints.create,
        f"{_ENDPOINT} api_version",
    ),
    Route("GET", "/v1/webhook_endpoints", p.WebhookEndpointListParams, listing("webhook_endpoint"), PAGING_UNDATED),
    Route("GET", "/v1/webhook_endpoints/{id}", p.WebhookEndpointRetrieveParams, retrieve("webhook_endpoint")),
    Route(
        "POST",
        "/v1/webhook_endpoints/{id}",
        p.WebhookEndpointUpdateParams,
        webhook_endpoints.update,
        f"{_ENDPOINT} disabled",
    ),
    Route("DELETE", "/v1/webhook_endpoints/{id}", p.WebhookEndpointDeleteParams, webhook_endpoints.delete),
    Route("GET", "/v1/events", p.EventListParams, webhook_endpoints.list_events, f"{PAGING} type types"),
    Route("GET", "/v1/events/{id}", p.EventRetrieveParams, retrieve("event")),
)
