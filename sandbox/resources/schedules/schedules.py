"""Subscription schedules: made from a subscription, changed, released, canceled, listed."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import invalid_request, missing_param
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.schedules.phases import phases_from_params
from sandbox.resources.schedules.schedule_object import current_phase, new_schedule, set_next_step
from sandbox.resources.schedules.transitions import apply_phase, release, set_cancel_date
from sandbox.resources.subscriptions.cancellation import cancel_now
from sandbox.resources.subscriptions.collection import collect
from sandbox.resources.subscriptions.subscription_object import is_live
from sandbox.shared_handlers import answer_page, page_query
from sandbox.store import Transaction


async def create(call: Call) -> Json:
    """POST /v1/subscription_schedules: from a subscription, whose current period becomes the only phase."""
    if "from_subscription" not in call.params:
        raise missing_param("from_subscription", "The sandbox makes subscription schedules from a subscription only.")
    return await create_schedule(call.tx, call.params["from_subscription"])


async def update(call: Call) -> Json:
    """POST /v1/subscription_schedules/{id}: the current and all future phases, and what follows the last one."""
    schedule = await call.tx.get("subscription_schedule", call.id)
    draft = await draft_schedule_update(call.tx, schedule, call.params)
    if draft is not None:
        await collect(call.tx, draft, off_session=True)
    return await call.tx.get("subscription_schedule", call.id)


async def release_schedule(call: Call) -> Json:
    """POST /v1/subscription_schedules/{id}/release: the subscription goes on as it is."""
    schedule = await call.tx.get("subscription_schedule", call.id)
    _refuse_closed(schedule, "release")
    subscription = await call.tx.get("subscription", schedule["subscription"])
    await release(call.tx, schedule, subscription, keep_cancel_date=call.params.get("preserve_cancel_date", False))
    return schedule


async def cancel(call: Call) -> Json:
    """POST /v1/subscription_schedules/{id}/cancel: the subscription is canceled at once, with a final invoice."""
    schedule = await call.tx.get("subscription_schedule", call.id)
    _refuse_closed(schedule, "cancel")
    subscription = await call.tx.get("subscription", schedule["subscription"])
    prorate, invoice_now = call.params.get("prorate", True), call.params.get("invoice_now", True)
    await cancel_now(call.tx, subscription, prorate=prorate, invoice_now=invoice_now)
    return await call.tx.get("subscription_schedule", call.id)


async def list_schedules(call: Call) -> Json:
    """GET /v1/subscription_schedules, by `customer`."""
    query = page_query(call, "subscription_schedule")
    query.match = {"customer": call.params["customer"]} if "customer" in call.params else {}
    return await answer_page(call, query)


async def create_schedule(tx: Transaction, subscription_id: str) -> Json:
    """Store the schedule of a subscription. Raises StripeError for one that has a schedule, or that has ended."""
    subscription = await tx.get("subscription", subscription_id, "from_subscription")
    if subscription["schedule"] is not None:
        raise invalid_request(
            f"You cannot migrate a subscription that is already attached to a schedule: `{subscription['schedule']}`.",
            param="from_subscription",
        )
    if not is_live(subscription):
        raise invalid_request(
            f"You cannot migrate a subscription with the status `{subscription['status']}` to a schedule.",
            param="from_subscription",
        )
    schedule = new_schedule(subscription, tx.now)
    set_next_step(schedule, tx.now)
    await tx.insert(schedule)
    subscription["schedule"] = schedule["id"]
    await tx.save(subscription)
    await emit(tx, "subscription_schedule.created", schedule)
    await emit(tx, "customer.subscription.updated", subscription, {"schedule": None})
    return schedule


async def draft_schedule_update(tx: Transaction, schedule: Json, params: Json) -> Json | None:
    """Change a schedule as the parameters say; return the draft that a changed current phase bills at once, if there is one."""
    _refuse_closed(schedule, "update")
    before = snapshot(schedule)
    if params.get("end_behavior", "release") not in ("release", "cancel"):
        raise invalid_request("The sandbox implements the end behaviors `release` and `cancel`.", param="end_behavior")
    schedule["metadata"] = merge_metadata(schedule["metadata"], params.get("metadata"))
    schedule["end_behavior"] = params.get("end_behavior", schedule["end_behavior"])
    subscription = await tx.get("subscription", schedule["subscription"])
    draft: Json | None = None
    if "phases" in params:
        schedule["phases"] = await phases_from_params(tx, schedule, params["phases"])
        phase = current_phase(schedule)
        schedule["current_phase"] = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
        schedule["_expiring_at"] = None
    set_next_step(schedule, tx.now)
    await tx.save(schedule)
    if "phases" in params:
        proration = params.get("proration_behavior", "create_prorations")
        draft = await apply_phase(tx, subscription, current_phase(schedule), proration=proration, restart=False)
    await set_cancel_date(tx, schedule, subscription)
    if changed := previous_attributes(before, schedule):
        await emit(tx, "subscription_schedule.updated", schedule, changed)
    return draft


def _refuse_closed(schedule: Json, verb: str) -> None:
    if schedule["status"] != "active":
        raise invalid_request(
            f"You cannot {verb} a subscription schedule that is currently in the `{schedule['status']}` status."
        )
