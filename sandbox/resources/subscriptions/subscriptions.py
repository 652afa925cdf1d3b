"""Subscriptions: created, changed, canceled, resumed, listed."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import missing_param
from sandbox.objects import Json
from sandbox.resources.subscriptions.cancellation import cancel_now
from sandbox.resources.subscriptions.creation import create_subscription
from sandbox.resources.subscriptions.fields import set_fields
from sandbox.resources.subscriptions.refusals import refuse_ended, refuse_session
from sandbox.resources.subscriptions.resuming import resume_subscription
from sandbox.resources.subscriptions.subscription_object import ENDED
from sandbox.resources.subscriptions.updates import update_subscription
from sandbox.shared_handlers import answer_page, page_query

_NOT_ENDED = ("active", "incomplete", "past_due", "paused", "trialing", "unpaid")


async def create(call: Call) -> Json:
    """POST /v1/subscriptions."""
    if "customer" not in call.params:
        raise missing_param("customer")
    return await create_subscription(call.tx, call.params)


async def update(call: Call) -> Json:
    """POST /v1/subscriptions/{id}."""
    return await update_subscription(call.tx, await call.tx.get("subscription", call.id), call.params)


async def cancel(call: Call) -> Json:
    """DELETE /v1/subscriptions/{id}: at once. Of one that has ended, 404."""
    subscription = await call.tx.get("subscription", call.id)
    refuse_ended(subscription)
    refuse_session(subscription)
    details = {name: call.params[name] for name in ("cancellation_details",) if name in call.params}
    await set_fields(call.tx, subscription, details)
    prorate, invoice_now = call.params.get("prorate", False), call.params.get("invoice_now", False)
    await cancel_now(call.tx, subscription, prorate=prorate, invoice_now=invoice_now)
    return subscription


async def resume(call: Call) -> Json:
    """POST /v1/subscriptions/{id}/resume: of a paused one."""
    return await resume_subscription(call.tx, await call.tx.get("subscription", call.id), call.params)


async def list_subscriptions(call: Call) -> Json:
    """GET /v1/subscriptions, by `customer`, `price` and `status`; without a status those that have not ended."""
    query = page_query(call, "subscription")
    if "customer" in call.params:
        query.match["customer"] = call.params["customer"]
    if "price" in call.params:
        query.match["items"] = {"data": [{"price": {"id": call.params["price"]}}]}
    status = call.params.get("status")
    if status == "ended":
        query.one_of["status"] = ENDED
    elif status is None:
        query.one_of["status"] = _NOT_ENDED
    elif status != "all":
        query.match["status"] = status
    return await answer_page(call, query)
