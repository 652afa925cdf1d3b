"""What can't be asked of a subscription as it is."""

from __future__ import annotations

from sandbox.errors import invalid_request, resource_missing
from sandbox.objects import Json
from sandbox.resources.subscriptions.subscription_object import ENDED

_ALWAYS = {"metadata", "expand", "cancellation_details"}
_WHILE_INCOMPLETE = {"metadata", "expand", "default_payment_method", "payment_settings", "description"}


def refuse_update(subscription: Json, params: Json) -> None:
    """Raise a StripeError for an update that the subscription's status, or its schedule, does not allow."""
    refuse_session(subscription)
    status = subscription["status"]
    if status in ENDED and (params.keys() - _ALWAYS):
        raise invalid_request(
            "A canceled subscription can only update its cancellation_details and metadata.",
            code="invalid_canceled_subscription_fields",
            param=min(params.keys() - _ALWAYS),
        )
    if status == "incomplete" and (refused := params.keys() - _WHILE_INCOMPLETE):
        raise invalid_request(
            "The subscription is incomplete: until its first invoice is paid, only its metadata and its default payment"
            " method can be changed.",
            param=min(refused),
        )
    if subscription["schedule"] is not None:
        for name in ("cancel_at", "cancel_at_period_end"):
            if name in params:
                raise invalid_request(
                    f"The subscription is managed by the subscription schedule `{subscription['schedule']}`, and updating"
                    " any cancelation behavior directly is not allowed. Please update the schedule instead.",
                    param=name,
                )


def refuse_ended(subscription: Json) -> None:
    """Raise the 404 of a step that needs a subscription which has not ended."""
    if subscription["status"] in ENDED:
        raise resource_missing("subscription", subscription["id"])


def refuse_session(subscription: Json) -> None:
    """Raise a StripeError for the incomplete subscription of an open Checkout session."""
    if subscription["status"] == "incomplete" and subscription.get("_session"):
        raise invalid_request(
            "This subscription is incomplete and belongs to an open Checkout Session. Expire the Checkout Session instead."
        )
