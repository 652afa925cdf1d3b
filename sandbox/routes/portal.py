"""Routes of the billing portal."""

from __future__ import annotations

from stripe.params import billing_portal as p

from sandbox.calls import Route
from sandbox.resources.portal import configurations, portal_sessions
from sandbox.shared_handlers import PAGING, list_by, retrieve_by_id

_CONFIGURATION = (
    "business_profile default_return_url features.customer_update features.invoice_history"
    " features.payment_method_update.enabled features.subscription_cancel.cancellation_reason.enabled"
    " features.subscription_cancel.cancellation_reason.options features.subscription_cancel.enabled"
    " features.subscription_cancel.mode features.subscription_cancel.proration_behavior"
    " features.subscription_pause.enabled features.subscription_update.enabled metadata name"
)
_PATH = "/v1/billing_portal/configurations"

ROUTES = (
    Route("POST", _PATH, p.ConfigurationCreateParams, configurations.create, _CONFIGURATION),
    Route(
        "GET",
        _PATH,
        p.ConfigurationListParams,
        list_by("billing_portal.configuration", "active", "is_default"),
        f"{PAGING} active is_default",
    ),
    Route("GET", f"{_PATH}/{{id}}", p.ConfigurationRetrieveParams, retrieve_by_id("billing_portal.configuration")),
    Route("POST", f"{_PATH}/{{id}}", p.ConfigurationUpdateParams, configurations.update, f"{_CONFIGURATION} active"),
    Route(
        "POST",
        "/v1/billing_portal/sessions",
        p.SessionCreateParams,
        portal_sessions.create,
        "configuration customer locale return_url",
    ),
)
