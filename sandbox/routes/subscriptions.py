"""Routes of subscriptions."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.subscriptions import subscriptions
from sandbox.shared_handlers import PAGING_AND_CREATED, retrieve_by_id

_FIELDS = (
    "cancel_at cancel_at_period_end collection_method default_payment_method default_tax_rates description discounts"
    " items.metadata items.price items.quantity items.tax_rates metadata off_session payment_behavior"
    " payment_settings.save_default_payment_method proration_behavior trial_end"
    " trial_settings.end_behavior.missing_payment_method"
)

ROUTES = (
    Route(
        "POST",
        "/v1/subscriptions",
        p.SubscriptionCreateParams,
        subscriptions.create,
        f"{_FIELDS} add_invoice_items.price add_invoice_items.quantity add_invoice_items.tax_rates billing_cycle_anchor"
        " billing_cycle_anchor_config billing_mode currency customer trial_period_days",
    ),
    Route(
        "GET",
        "/v1/subscriptions",
        p.SubscriptionListParams,
        subscriptions.list_subscriptions,
        f"{PAGING_AND_CREATED} customer price status",
    ),
    Route("GET", "/v1/subscriptions/{id}", p.SubscriptionRetrieveParams, retrieve_by_id("subscription")),
    Route(
        "POST",
        "/v1/subscriptions/{id}",
        p.SubscriptionUpdateParams,
        subscriptions.update,
        f"{_FIELDS} billing_cycle_anchor cancellation_details.comment cancellation_details.feedback items.deleted items.id"
        " pause_collection proration_date",
    ),
    Route(
        "DELETE",
        "/v1/subscriptions/{id}",
        p.SubscriptionCancelParams,
        subscriptions.cancel,
        "cancellation_details.comment cancellation_details.feedback invoice_now prorate",
    ),
    Route(
        "POST",
        "/v1/subscriptions/{id}/resume",
        p.SubscriptionResumeParams,
        subscriptions.resume,
        "billing_cycle_anchor",
    ),
)
