"""From phase to phase: what a schedule does to its subscription by itself, and what the subscription's changes do to it."""

from __future__ import annotations

from sandbox.events import emit, previous_attributes, snapshot
from sandbox.metadata import merge_metadata
from sandbox.objects import Json, visible
from sandbox.resources.schedules.schedule_object import (
    current_phase,
    new_phase,
    phase_items,
    phases_after,
    set_next_step,
)
from sandbox.resources.subscriptions.billing import create_draft
from sandbox.resources.subscriptions.cancellation import cancel_at_its_time
from sandbox.resources.subscriptions.changes import Change, apply_change
from sandbox.resources.subscriptions.collection import collect
from sandbox.resources.subscriptions.pending_updates import drop_pending
from sandbox.resources.subscriptions.subscription_object import (
    ENDED,
    items_of,
    new_subscription_item,
    set_price,
)
from sandbox.resources.subscriptions.subscription_object import set_next_step as set_next_step_of_subscription
from sandbox.store import Transaction


async def take_next_step(tx: Transaction, schedule: Json) -> None:
    """Enter the next phase, end with the last one, or tell that the end is near."""
    if schedule["_expiring_at"] is not None and 0 <= schedule["_expiring_at"] <= tx.now:
        schedule["_expiring_at"] = -1
        set_next_step(schedule, tx.now)
        await tx.save(schedule)
        await emit(tx, "subscription_schedule.expiring", schedule)
        return
    following = phases_after(schedule)
    if following:
        await _enter(tx, schedule, following[0])
    else:
        await _finish(tx, schedule)


async def apply_phase(
    tx: Transaction, subscription: Json, phase: Json, *, proration: str, restart: bool
) -> Json | None:
    """Give a subscription what a phase says, and store it; return the draft that is billed at once, if there is one.

    A period that ends just now is not prorated: its renewal, which follows, bills what the phase says. With `restart` the phase's
    start becomes the anchor.
    """
    before = snapshot(subscription)
    items = await _items_of_phase(tx, subscription, phase)
    period_ends = all(item["current_period_end"] <= tx.now for item in items_of(subscription))
    prorate = proration != "none"
    lines: list[Json] = []
    prorated = False
    if restart and period_ends:
        subscription["items"]["data"] = items
        subscription["billing_cycle_anchor"] = tx.now
    else:
        change = Change(items, tx.now, prorate, restart, proration == "always_invoice")
        await apply_change(tx, subscription, change)
        lines, prorated = change.lines, change.prorated
    subscription["metadata"] = merge_metadata(subscription["metadata"], phase["metadata"])
    if phase.get("_sets_tax_rates"):
        subscription["default_tax_rates"] = phase["default_tax_rates"]
    for name in ("default_payment_method", "description"):
        if phase[name] is not None:
            subscription[name] = phase[name]
    draft: Json | None = None
    if lines or (prorated and proration == "always_invoice"):
        start = min(item["current_period_start"] for item in items_of(subscription))
        period = (tx.now if lines else start, tx.now)
        draft = await create_draft(tx, subscription, lines, reason="subscription_update", period=period)
    set_next_step_of_subscription(subscription)
    await tx.save(subscription)
    if changed := previous_attributes(before, subscription):
        await emit(tx, "customer.subscription.updated", subscription, changed)
    return draft


async def set_cancel_date(tx: Transaction, schedule: Json, subscription: Json) -> None:
    """Let a subscription end with the schedule's last phase once that runs, if the schedule says so; otherwise let it go on."""
    last = not phases_after(schedule)
    ends = schedule["end_behavior"] == "cancel" and last
    cancel_at = current_phase(schedule)["end_date"] if ends else None
    if subscription["cancel_at"] == cancel_at:
        return
    before = snapshot(subscription)
    subscription |= {"cancel_at": cancel_at, "cancel_at_period_end": False}
    set_next_step_of_subscription(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))


async def follow_subscription(tx: Transaction, subscription: Json) -> None:
    """Bring a schedule in line with its subscription: it ends with it; a direct change of items splits the current phase."""
    for schedule in await tx.find_all(
        "subscription_schedule", {"subscription": subscription["id"], "status": "active"}
    ):
        if subscription["status"] in ENDED:
            await _end_with_subscription(tx, schedule, subscription)
        elif not _same_items(current_phase(schedule), subscription):
            await _split(tx, schedule, subscription)


async def _enter(tx: Transaction, schedule: Json, phase: Json) -> None:
    before = snapshot(schedule)
    subscription = await tx.get("subscription", schedule["subscription"])
    if subscription["pending_update"]:
        await drop_pending(tx, subscription)
    schedule["current_phase"] = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
    set_next_step(schedule, tx.now)
    await tx.save(schedule)
    restart = phase["billing_cycle_anchor"] == "phase_start"
    draft = await apply_phase(tx, subscription, phase, proration=phase["proration_behavior"], restart=restart)
    await set_cancel_date(tx, schedule, subscription)
    await emit(tx, "subscription_schedule.updated", schedule, previous_attributes(before, schedule))
    if draft is not None:
        await collect(tx, draft, off_session=True)


async def _finish(tx: Transaction, schedule: Json) -> None:
    subscription = await tx.get("subscription", schedule["subscription"])
    if schedule["end_behavior"] == "cancel":
        await close(tx, schedule, "completed", "completed_at")
        await cancel_at_its_time(tx, subscription)
        return
    await release(tx, schedule, subscription, keep_cancel_date=False)


async def release(tx: Transaction, schedule: Json, subscription: Json, *, keep_cancel_date: bool) -> None:
    """Let the subscription go on as it is, without the schedule; an end that the schedule had set is kept only if asked."""
    before = snapshot(subscription)
    subscription["schedule"] = None
    if schedule["end_behavior"] == "cancel" and not keep_cancel_date:
        subscription["cancel_at"] = None
    set_next_step_of_subscription(subscription)
    await tx.save(subscription)
    schedule |= {"released_subscription": subscription["id"], "subscription": None}
    await close(tx, schedule, "released", "released_at")
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))


async def close(tx: Transaction, schedule: Json, status: str, time_field: str | None) -> None:
    """Give a schedule its last status, and tell of it."""
    schedule |= {"status": status, "current_phase": None}
    if time_field is not None:
        schedule[time_field] = tx.now
    set_next_step(schedule, tx.now)
    await tx.save(schedule)
    await emit(tx, f"subscription_schedule.{status}", schedule)


async def _end_with_subscription(tx: Transaction, schedule: Json, subscription: Json) -> None:
    if subscription["cancellation_details"]["reason"] == "payment_failed":
        schedule |= {"status": "canceled", "canceled_at": tx.now, "current_phase": None}
        set_next_step(schedule, tx.now)
        await tx.save(schedule)
        await emit(tx, "subscription_schedule.aborted", schedule)
        return
    await close(tx, schedule, "canceled", "canceled_at")


async def _split(tx: Transaction, schedule: Json, subscription: Json) -> None:
    before = snapshot(schedule)
    phase = current_phase(schedule)
    if phase["start_date"] == tx.now:
        phase["items"] = phase_items(subscription)
    else:
        second = phase | new_phase(tx.now, phase["end_date"], phase_items(subscription))
        second |= {"currency": phase["currency"], "default_tax_rates": phase["default_tax_rates"]}
        phase["end_date"] = tx.now
        schedule["phases"].insert(schedule["phases"].index(phase) + 1, second)
        schedule["current_phase"] = {"start_date": tx.now, "end_date": second["end_date"]}
    set_next_step(schedule, tx.now)
    await tx.save(schedule)
    await emit(tx, "subscription_schedule.updated", schedule, previous_attributes(before, schedule))


def _same_items(phase: Json, subscription: Json) -> bool:
    def key(items: list[Json]) -> list[tuple[str, int]]:
        return sorted((item["price"], item["quantity"]) for item in items)

    return key(phase["items"]) == key(phase_items(subscription))


async def _items_of_phase(tx: Transaction, subscription: Json, phase: Json) -> list[Json]:
    """Return the subscription's items as the phase wants them.

    An item whose price stays is kept; the others take the new prices in their order, as far as there are others.
    """
    old = [snapshot(item) for item in items_of(subscription)]
    by_price = {item["price"]["id"]: item for item in old}
    wanted = [item["price"] for item in phase["items"]]
    free = [item for item in old if item["price"]["id"] not in wanted]
    items: list[Json] = []
    for entry in phase["items"]:
        item = by_price.get(entry["price"])
        if item is None:
            price = await tx.get("price", entry["price"])
            if free:
                item = free.pop(0)
                set_price(item, price)
            else:
                item = new_subscription_item(subscription["id"], price, entry["quantity"], tx.now)
        item |= {"quantity": entry["quantity"], "tax_rates": visible(entry["tax_rates"])}
        items.append(item)
    return items
