"""What happens to a subscription by itself: its periods end and it is renewed, its trial ends, it ends."""

from __future__ import annotations

from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.invoices.finalization import finalize_invoice
from sandbox.resources.invoices.voiding import mark_uncollectible, void_invoice
from sandbox.resources.subscriptions.billing import amount_from, create_draft, line_for
from sandbox.resources.subscriptions.cancellation import cancel_at_its_time, end_subscription
from sandbox.resources.subscriptions.ends import cut_period
from sandbox.resources.subscriptions.pending_updates import drop_pending
from sandbox.resources.subscriptions.periods import interval_of, natural_end
from sandbox.resources.subscriptions.subscription_object import is_live, items_of, set_next_step
from sandbox.resources.subscriptions.trials import payment_method_of
from sandbox.resources.subscriptions.updates import pause_without_card
from sandbox.store import Transaction


async def take_next_step(tx: Transaction, subscription: Json) -> None:
    """Do the first of what is due for a subscription now."""
    pending = subscription["pending_update"]
    pause: Json = subscription["pause_collection"] or {}
    if pending and pending["expires_at"] <= tx.now:
        await drop_pending(tx, subscription)
    elif subscription["status"] == "incomplete":
        await expire(tx, subscription)
    elif is_live(subscription) and pause.get("resumes_at") is not None and pause["resumes_at"] <= tx.now:
        await _update(tx, subscription, {"pause_collection": None})
    elif subscription["cancel_at"] is not None and subscription["cancel_at"] <= tx.now:
        await cancel_at_its_time(tx, subscription)
    elif subscription["_trial_notice_at"] is not None and subscription["_trial_notice_at"] <= tx.now:
        await _tell_of_trial_end(tx, subscription)
    elif subscription["status"] == "trialing" and subscription["trial_end"] <= tx.now:
        await _end_trial(tx, subscription)
    else:
        await renew(tx, subscription)


async def renew(tx: Transaction, subscription: Json, changes: Json | None = None) -> Json:
    """Begin the next period of each item whose period has ended, and return the draft of the renewal's invoice.

    `changes` are fields of the subscription that change with it.
    """
    before = snapshot(subscription)
    ended = [item for item in items_of(subscription) if item["current_period_end"] <= tx.now]
    period = (min(item["current_period_start"] for item in ended), tx.now)
    lines: list[Json] = []
    anchor = subscription["billing_cycle_anchor"]
    for item in ended:
        start = item["current_period_end"]
        item |= {"current_period_start": start, "_debits": []}
        item["current_period_end"] = natural_end(start, interval_of(item["price"]), anchor)
        cut_period(item, subscription["cancel_at"])
        lines.append(await line_for(tx, subscription, item, amount_from(item, start, anchor)))
    subscription |= changes or {}
    paused = subscription["pause_collection"] is not None
    collected = not paused and subscription["status"] != "unpaid"
    draft = await create_draft(
        tx, subscription, lines, reason="subscription_cycle", period=period, auto_advance=collected
    )
    set_next_step(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))
    if paused:
        await _do_not_collect(tx, draft, subscription["pause_collection"]["behavior"])
    return draft


async def expire(tx: Transaction, subscription: Json) -> None:
    """End a subscription whose first payment has not come in time, and void its invoice."""
    await end_subscription(tx, subscription, None, "incomplete_expired")
    invoice = await tx.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        await void_invoice(tx, invoice)


async def _tell_of_trial_end(tx: Transaction, subscription: Json) -> None:
    subscription["_trial_notice_at"] = None
    set_next_step(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.trial_will_end", subscription)


async def _end_trial(tx: Transaction, subscription: Json) -> None:
    """End a trial at its time: with a card the first full period is billed, without one the trial's settings decide."""
    without_card = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if without_card == "create_invoice" or await payment_method_of(tx, subscription) is not None:
        await renew(tx, subscription, {"status": "active"})
    elif without_card == "cancel":
        await end_subscription(tx, subscription, None)
    else:
        before = snapshot(subscription)
        pause_without_card(subscription, tx.now)
        set_next_step(subscription)
        await tx.save(subscription)
        await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))
        await emit(tx, "customer.subscription.paused", subscription)


async def _update(tx: Transaction, subscription: Json, changes: Json) -> None:
    before = snapshot(subscription)
    subscription |= changes
    set_next_step(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))


async def _do_not_collect(tx: Transaction, draft: Json, behavior: str) -> None:
    """Do with a renewal's invoice what the pause of collection says."""
    if behavior == "keep_as_draft":
        return
    invoice = await finalize_invoice(tx, draft)
    if invoice["status"] == "open":
        await (void_invoice if behavior == "void" else mark_uncollectible)(tx, invoice)
