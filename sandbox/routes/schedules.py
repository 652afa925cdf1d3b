"""Routes of subscription schedules."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.schedules import schedules
from sandbox.shared_handlers import PAGING_AND_CREATED, retrieve_by_id

_PHASES = (
    "phases.billing_cycle_anchor phases.default_payment_method phases.default_tax_rates phases.description phases.duration"
    " phases.end_date phases.items.metadata phases.items.price phases.items.quantity phases.items.tax_rates"
    " phases.metadata phases.proration_behavior phases.start_date"
)
_PATH = "/v1/subscription_schedules"

ROUTES = (
    Route("POST", _PATH, p.SubscriptionScheduleCreateParams, schedules.create, "from_subscription"),
    Route(
        "GET",
        _PATH,
        p.SubscriptionScheduleListParams,
        schedules.list_schedules,
        f"{PAGING_AND_CREATED} customer",
    ),
    Route("GET", f"{_PATH}/{{id}}", p.SubscriptionScheduleRetrieveParams, retrieve_by_id("subscription_schedule")),
    Route(
        "POST",
        f"{_PATH}/{{id}}",
        p.SubscriptionScheduleUpdateParams,
        schedules.update,
        f"{_PHASES} end_behavior metadata proration_behavior",
    ),
    Route(
        "POST",
        f"{_PATH}/{{id}}/release",
        p.SubscriptionScheduleReleaseParams,
        schedules.release_schedule,
        "preserve_cancel_date",
    ),
    Route(
        "POST",
        f"{_PATH}/{{id}}/cancel",
        p.SubscriptionScheduleCancelParams,
        schedules.cancel,
        "invoice_now prorate",
    ),
)
