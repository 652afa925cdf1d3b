"""When a subscription ends: at a given time or at the end of its period; and what that does to its items' periods."""

from __future__ import annotations

from sandbox.errors import invalid_request
from sandbox.objects import Json
from sandbox.resources.subscriptions.subscription_object import items_of

_PERIOD_ENDS = {"min_period_end": min, "max_period_end": max}


def end_from_params(params: Json, subscription: Json, now: int) -> Json:
    """Return the fields that `cancel_at` and `cancel_at_period_end` change; none if neither is given.

    Raises StripeError if both set an end, or for a time that has passed.
    """
    at, flag = params.get("cancel_at"), params.get("cancel_at_period_end")
    if at and flag:
        raise invalid_request("You can't set both cancel_at and cancel_at_period_end.", param="cancel_at")
    ends = [item["current_period_end"] for item in items_of(subscription)]
    if flag:
        return _ending(subscription, max(ends), now) | {"cancel_at_period_end": True}
    if at:
        if isinstance(at, str):
            if at not in _PERIOD_ENDS:
                raise invalid_request(f"The sandbox does not implement cancel_at={at}.", param="cancel_at")
            at = _PERIOD_ENDS[at](ends)
        if at <= now:
            raise invalid_request("cancel_at must be in the future.", param="cancel_at")
        return _ending(subscription, at, now) | {"cancel_at_period_end": False}
    taken_back = at == "" or (flag is False and subscription["cancel_at_period_end"])
    if not taken_back:
        return {}
    details = subscription["cancellation_details"] | {"reason": None}
    return {"cancel_at": None, "cancel_at_period_end": False, "canceled_at": None, "cancellation_details": details}


def cut_period(item: Json, cancel_at: int | None) -> None:
    """End an item's period where the subscription ends, if that is earlier."""
    if cancel_at is not None and item["current_period_start"] < cancel_at < item["current_period_end"]:
        item["current_period_end"] = cancel_at


def _ending(subscription: Json, at: int, now: int) -> Json:
    details = subscription["cancellation_details"] | {"reason": "cancellation_requested"}
    return {"cancel_at": at, "canceled_at": now, "cancellation_details": details}
