"""Routes of Checkout sessions."""

from __future__ import annotations

from stripe.params import checkout as p

from sandbox.calls import Route
from sandbox.resources.checkout import sessions
from sandbox.shared_handlers import PAGING_AND_CREATED, list_by, retrieve_by_id

_SESSION = (
    "allowed_payment_method_types automatic_tax.enabled billing_address_collection cancel_url client_reference_id currency"
    " customer customer_update.address customer_update.name expires_at invoice_creation.enabled"
    " invoice_creation.invoice_data.description invoice_creation.invoice_data.footer"
    " invoice_creation.invoice_data.metadata line_items.adjustable_quantity line_items.price"
    " line_items.price_data line_items.quantity"
    " line_items.tax_rates locale metadata mode payment_intent_data.description payment_intent_data.metadata"
    " payment_intent_data.setup_future_usage setup_intent_data.description setup_intent_data.metadata submit_type"
    " subscription_data.billing_cycle_anchor subscription_data.billing_mode subscription_data.default_tax_rates"
    " subscription_data.description subscription_data.metadata subscription_data.proration_behavior"
    " payment_method_collection tax_id_collection success_url ui_mode"
)

ROUTES = (
    Route("POST", "/v1/checkout/sessions", p.SessionCreateParams, sessions.create, _SESSION),
    Route(
        "GET",
        "/v1/checkout/sessions",
        p.SessionListParams,
        list_by("checkout.session", "customer", "payment_intent", "status", "subscription"),
        f"{PAGING_AND_CREATED} customer payment_intent status subscription",
    ),
    Route("GET", "/v1/checkout/sessions/{id}", p.SessionRetrieveParams, retrieve_by_id("checkout.session")),
    Route(
        "GET",
        "/v1/checkout/sessions/{id}/line_items",
        p.SessionLineItemListParams,
        sessions.list_line_items,
        "limit starting_after",
    ),
    Route("POST", "/v1/checkout/sessions/{id}/expire", p.SessionExpireParams, sessions.expire),
)
