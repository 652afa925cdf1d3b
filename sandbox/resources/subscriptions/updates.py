"""Updating a subscription: what the parameters ask for, whether it makes an invoice, and how that is paid."""

from __future__ import annotations

from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.subscriptions.billing import create_draft
from sandbox.resources.subscriptions.changes import (
    Change,
    apply_change,
    begin_trial,
    end_periods_at,
    lengthen_periods,
)
from sandbox.resources.subscriptions.collection import collect
from sandbox.resources.subscriptions.ends import end_from_params
from sandbox.resources.subscriptions.fields import set_fields
from sandbox.resources.subscriptions.following import await_payment
from sandbox.resources.subscriptions.items import changed_items
from sandbox.resources.subscriptions.pending_updates import (
    check_pending_params,
    drop_pending,
    hold_back,
    wait_for_payment,
)
from sandbox.resources.subscriptions.refusals import refuse_update
from sandbox.resources.subscriptions.subscription_object import items_of, set_next_step
from sandbox.resources.subscriptions.trials import payment_method_of, trial_end_from_params
from sandbox.store import Transaction

# what an update may change of the billing itself; any of them replaces an update that waits for its payment
_BILLED = ("items", "trial_end", "billing_cycle_anchor", "add_invoice_items")


async def update_subscription(tx: Transaction, subscription: Json, params: Json) -> Json:
    """Change a subscription as the parameters say and collect what that bills; return it as it is then.

    Raises the card error where `payment_behavior` is `error_if_incomplete`; then nothing has changed.
    """
    behavior = params.get("payment_behavior", "allow_incomplete")
    before = snapshot(subscription)
    draft = await draft_update(tx, subscription, params)
    if draft is not None and behavior == "pending_if_incomplete":
        return await _collect_pending(tx, before, subscription, draft, params)
    await _store(tx, subscription, before)
    if draft is None:
        return subscription
    error = await collect(
        tx, draft, off_session=params.get("off_session", False), attempt=behavior != "default_incomplete"
    )
    if error is not None and behavior == "error_if_incomplete":
        error.keeps_changes = False
        raise error
    if behavior == "default_incomplete":
        await await_payment(tx, subscription["id"], await tx.get("invoice", draft["id"]))
    return await tx.get("subscription", subscription["id"])


async def draft_update(tx: Transaction, subscription: Json, params: Json) -> Json | None:
    """Change a subscription's document and store the draft that the change makes at once, if it makes one.

    The document itself is not stored yet, and nothing is paid. Raises StripeError for what the parameters can't ask for.
    """
    refuse_update(subscription, params)
    if params.get("payment_behavior") == "pending_if_incomplete":
        check_pending_params(params)
    if subscription["pending_update"] and any(name in params for name in _BILLED):
        await drop_pending(tx, subscription)
    await set_fields(tx, subscription, params)
    proration = params.get("proration_behavior", "create_prorations")
    prorated = await _set_end(tx, subscription, params, prorate=proration != "none")
    trial_end = trial_end_from_params(params, tx.now)
    if trial_end is not None:
        prorated |= await begin_trial(tx, subscription, trial_end, prorate=proration != "none")
    ends_trial = params.get("trial_end") == "now" and subscription["status"] == "trialing"
    if ends_trial and not await _end_trial(tx, subscription):
        set_next_step(subscription)
        return None
    change = await _change(tx, subscription, params, proration, ends_trial=ends_trial)
    nothing_before = not _costs(subscription)
    if change is not None:
        await apply_change(tx, subscription, change)
        prorated |= change.prorated
    set_next_step(subscription)
    lines = change.lines if change is not None else []
    at_once = proration == "always_invoice" or (nothing_before and proration != "none")
    if not lines and not (prorated and at_once):
        return None
    period = _invoice_period(subscription, tx.now, restarted=bool(lines))
    proration_date = change.at if change is not None else None
    return await create_draft(
        tx, subscription, lines, reason="subscription_update", period=period, proration_date=proration_date
    )


async def _change(
    tx: Transaction, subscription: Json, params: Json, proration: str, *, ends_trial: bool
) -> Change | None:
    """Return the change of items and anchor that the parameters ask for, if they ask for one."""
    restart = ends_trial or params.get("billing_cycle_anchor", {}).get("type") == "now"
    if "items" not in params and not restart:
        return None
    items = (
        await changed_items(tx, subscription, params["items"])
        if "items" in params
        else [snapshot(item) for item in items_of(subscription)]
    )
    if items[0]["price"]["currency"] != subscription["currency"]:
        raise invalid_request("The currency of a subscription can't be changed.", param="items")
    at = _proration_time(subscription, params, tx.now, restart=restart)
    at_once = proration == "always_invoice" or ends_trial or not _costs(subscription)
    return Change(items, at, proration != "none", restart, at_once)


def _proration_time(subscription: Json, params: Json, now: int, *, restart: bool) -> int:
    """Return the second from which on is prorated. Raises StripeError for one outside the current period."""
    if "proration_date" not in params:
        return now
    at: int = params["proration_date"]
    if restart:
        raise invalid_request(
            "You cannot set `proration_date` when `billing_cycle_anchor` is `now`.", param="proration_date"
        )
    starts = [item["current_period_start"] for item in items_of(subscription)]
    ends = [item["current_period_end"] for item in items_of(subscription)]
    if not min(starts) <= at <= max(ends):
        raise invalid_request(
            "The subscription `proration_date` must be within the current period.", param="proration_date"
        )
    return at


async def _set_end(tx: Transaction, subscription: Json, params: Json, *, prorate: bool) -> bool:
    """Set or take back when the subscription ends; return whether prorations wait for that now."""
    ended_at = subscription["cancel_at"]
    changed = end_from_params(params, subscription, tx.now)
    if not changed:
        return False
    prorated = False
    if ended_at is not None and changed["cancel_at"] != ended_at:
        prorated = await lengthen_periods(tx, subscription, ended_at, prorate=prorate)
    subscription |= changed
    if changed["cancel_at"] is not None:
        prorated |= await end_periods_at(tx, subscription, changed["cancel_at"], prorate=prorate)
    return prorated


async def _end_trial(tx: Transaction, subscription: Json) -> bool:
    """End a trial now; return whether the subscription goes on and is billed. Raises StripeError where a card is needed."""
    without_card = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if await payment_method_of(tx, subscription) is None:
        if without_card == "create_invoice":
            raise invalid_request(
                "This customer has no attached payment source or default payment method.", code="resource_missing"
            )
        subscription |= {"trial_end": tx.now, "_trial_notice_at": None}
        if without_card == "pause":
            pause_without_card(subscription, tx.now)
            return False
        raise invalid_request(
            "The subscription has no payment method and is canceled when its trial ends; cancel it instead.",
            param="trial_end",
        )
    subscription |= {"status": "active", "trial_end": tx.now, "_trial_notice_at": None}
    return True


def pause_without_card(subscription: Json, now: int) -> None:
    """Pause a subscription whose trial has ended without a card; its items' periods end with the trial."""
    subscription["status"] = "paused"
    for item in items_of(subscription):
        item["current_period_end"] = now


def _costs(subscription: Json) -> bool:
    return any(item["price"]["unit_amount_decimal"] != "0" and item["quantity"] for item in items_of(subscription))


def _invoice_period(subscription: Json, now: int, *, restarted: bool) -> tuple[int, int]:
    """Return the time in which items could join the invoice of a change: from the period's start, or none if it began now."""
    if restarted:
        return now, now
    return min(item["current_period_start"] for item in items_of(subscription)), now


async def _store(tx: Transaction, subscription: Json, before: Json) -> None:
    await tx.save(subscription)
    if changed := previous_attributes(before, subscription):
        await emit(tx, "customer.subscription.updated", subscription, changed)
    await tx.update_dependents(subscription)


async def _collect_pending(tx: Transaction, before: Json, subscription: Json, draft: Json, params: Json) -> Json:
    """Collect a change that is made only once it is paid; unpaid, the subscription stays as it was and waits for that."""
    stored = await tx.get("subscription", before["id"])
    await hold_back(tx, stored, subscription, draft)
    error: StripeError | None = await collect(tx, draft, off_session=params.get("off_session", False))
    if error is not None:
        await wait_for_payment(tx, before["id"], draft)
    return await tx.get("subscription", before["id"])
