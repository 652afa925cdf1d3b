"""Previews of invoices. A preview does the change and the renewal within a savepoint and takes all of it back, so that it comes
out as the real thing would and writes nothing."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import StripeError, invalid_request
from sandbox.ids import new_id
from sandbox.objects import Json, list_object
from sandbox.resources.previews.preview_customers import customer_to_preview
from sandbox.resources.previews.recurring import recurring_draft
from sandbox.resources.schedules.schedules import draft_schedule_update
from sandbox.resources.schedules.transitions import take_next_step as take_next_phase
from sandbox.resources.subscriptions.cancellation import cancel_now, final_draft
from sandbox.resources.subscriptions.creation import draft_subscription
from sandbox.resources.subscriptions.refusals import refuse_ended
from sandbox.resources.subscriptions.renewals import renew
from sandbox.resources.subscriptions.subscription_object import is_live, items_of
from sandbox.resources.subscriptions.updates import draft_update
from sandbox.store import Transaction

# parameters of `subscription_details` that an update has too
_OF_UPDATE = (
    *("items", "proration_behavior", "proration_date", "billing_cycle_anchor", "trial_end", "cancel_at"),
    *("cancel_at_period_end", "default_tax_rates"),
)


async def create_preview(call: Call) -> Json:
    """POST /v1/invoices/create_preview."""
    tx = call.tx
    now, emitted_events = tx.now, tx.emitted_events
    savepoint = tx.connection.transaction()
    await savepoint.start()
    try:
        draft = await _draft(tx, call.params)
        invoice = await tx.get("invoice", draft["id"])
    finally:
        await savepoint.rollback()
        tx.now, tx.emitted_events = now, emitted_events
    return _as_preview(invoice)


async def _draft(tx: Transaction, params: Json) -> Json:
    """Return the draft that the parameters ask for, stored within the savepoint."""
    _check_params(params)
    if "schedule" in params:
        return await _draft_with_schedule(tx, params)
    customer = await customer_to_preview(tx, params)
    if "subscription" not in params:
        return await _draft_of_new(tx, params, customer)
    subscription = await tx.get("subscription", params["subscription"], "subscription")
    if customer is not None and subscription["customer"] != customer["id"]:
        raise invalid_request("The subscription belongs to another customer.", param="subscription")
    details: Json = params.get("subscription_details", {})
    if params.get("preview_mode") == "recurring":
        return await _draft_of_what_recurs(tx, subscription, details)
    if details.get("cancel_now"):
        refuse_ended(subscription)
        prorate = details.get("proration_behavior", "create_prorations") != "none"
        draft = await cancel_now(tx, subscription, prorate=prorate, invoice_now=True)
        if draft is None:
            raise _none_error(subscription)
        return draft
    change = {name: details[name] for name in _OF_UPDATE if name in details}
    if change:
        draft = await draft_update(tx, subscription, change)
        await tx.save(subscription)
        await tx.update_dependents(subscription)
        if draft is not None:
            return draft
    return await _next_draft(tx, subscription["id"])


async def _draft_of_new(tx: Transaction, params: Json, customer: Json | None) -> Json:
    """Return the draft of the first invoice of a subscription that does not exist."""
    details: Json = params.get("subscription_details", {})
    if customer is None or "items" not in details:
        raise invalid_request("You must specify a subscription, or items of a new one.", param="subscription")
    creation = {
        "customer": customer["id"],
        "payment_behavior": "default_incomplete",
        **{name: details[name] for name in ("items", "trial_end", "cancel_at", "default_tax_rates") if name in details},
        **{name: params[name] for name in ("currency",) if name in params},
    }
    if "billing_mode" in details:
        creation["billing_mode"] = details["billing_mode"]
    subscription, draft = await draft_subscription(tx, creation)
    if params.get("preview_mode") == "recurring":
        return await recurring_draft(tx, subscription)
    if draft is None:
        raise _none_error(subscription)
    return draft


async def _draft_of_what_recurs(tx: Transaction, subscription: Json, details: Json) -> Json:
    """Return the draft of what recurs with the items and tax rates given, or else with those that are there."""
    if not is_live(subscription):
        raise _none_error(subscription)
    change = {name: details[name] for name in ("items", "default_tax_rates") if name in details}
    if change:
        await draft_update(tx, subscription, change | {"proration_behavior": "none"})
    return await recurring_draft(tx, subscription)


async def _draft_with_schedule(tx: Transaction, params: Json) -> Json:
    schedule = await tx.get("subscription_schedule", params["schedule"], "schedule")
    details: Json = params.get("schedule_details", {})
    subscription_id = schedule["subscription"] or schedule["released_subscription"]
    if details:
        draft = await draft_schedule_update(tx, schedule, details)
        if draft is not None:
            return draft
    return await _next_draft(tx, subscription_id)


async def _next_draft(tx: Transaction, subscription_id: str) -> Json:
    """Return the draft of the next renewal, at its time; phases that begin by then are entered first."""
    subscription = await tx.get("subscription", subscription_id)
    if not is_live(subscription):
        raise _none_error(subscription)
    if subscription["schedule"] is not None:
        drafts_before = subscription["latest_invoice"]
        subscription = await _enter_phases(tx, subscription)
        if subscription["latest_invoice"] != drafts_before:
            return await tx.get("invoice", subscription["latest_invoice"])
    tx.now = min(item["current_period_end"] for item in items_of(subscription))
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= tx.now:
        draft = await final_draft(tx, subscription)
        if draft is None:
            raise _none_error(subscription)
        return draft
    return await renew(tx, subscription, {"status": "active"} if subscription["status"] == "trialing" else None)


async def _enter_phases(tx: Transaction, subscription: Json) -> Json:
    """Enter the phases that begin by the end of the current period; return the subscription as it is then."""
    while subscription["schedule"] is not None and is_live(subscription):
        schedule = await tx.get("subscription_schedule", subscription["schedule"])
        until = min(item["current_period_end"] for item in items_of(subscription))
        ends = (
            schedule["end_behavior"] == "cancel" and schedule["current_phase"]["end_date"] == subscription["cancel_at"]
        )
        if ends or schedule["_next_step_at"] is None or schedule["_next_step_at"] > until:
            break
        tx.now = max(tx.now, schedule["_next_step_at"])
        await take_next_phase(tx, schedule)
        subscription = await tx.get("subscription", subscription["id"])
    return subscription


def _check_params(params: Json) -> None:
    """Raise a StripeError for parameters that don't go together, or that the sandbox does not implement."""
    mode = params.get("preview_mode", "next")
    if mode not in ("next", "recurring"):
        raise invalid_request("Invalid preview_mode: must be one of next or recurring", param="preview_mode")
    if mode == "recurring" and "schedule" in params:
        raise invalid_request("The sandbox previews what recurs of a subscription only.", param="preview_mode")
    if params.get("automatic_tax", {}).get("enabled"):
        raise invalid_request("The sandbox does not implement automatic tax.", param="automatic_tax[enabled]")
    if "schedule" in params and ("subscription" in params or "subscription_details" in params):
        raise invalid_request("You can't preview a schedule and a subscription at once.", param="schedule")
    if "schedule_details" in params and "schedule" not in params:
        raise invalid_request("The sandbox previews the changes of a schedule that exists.", param="schedule_details")
    details: Json = params.get("subscription_details", {})
    if details.get("billing_cycle_anchor", {}).get("type") == "timestamp":
        raise invalid_request(
            "The sandbox does not implement an anchor by timestamp.",
            param="subscription_details[billing_cycle_anchor][type]",
        )
    if "proration_date" not in details:
        return
    changes = "items" in details or "trial_end" in details
    if "subscription" not in params or not changes or details.get("proration_behavior") == "none":
        raise invalid_request(
            "`proration_date` needs a subscription, a change of its items or its trial, and prorations.",
            param="subscription_details[proration_date]",
        )


def _none_error(subscription: Json) -> StripeError:
    return StripeError(
        404,
        "invalid_request_error",
        f"No upcoming invoices for customer: {subscription['customer']}",
        code="invoice_upcoming_none",
    )


def _as_preview(invoice: Json) -> Json:
    """Return a draft as a preview shows it: an invoice that does not exist."""
    preview_id = f"upcoming_{new_id('in')}"
    lines = [line | {"invoice": preview_id} for line in invoice["lines"]["data"]]
    return invoice | {
        "id": preview_id,
        "auto_advance": False,
        "automatically_finalizes_at": None,
        "billing_reason": "upcoming",
        "lines": list_object(lines, f"/v1/invoices/upcoming/lines?id={preview_id}"),
        "next_payment_attempt": invoice["next_payment_attempt"],
        "status": "draft",
    }
