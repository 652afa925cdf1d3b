"""Ending a subscription: at once, at its time, or because it was not paid."""

from __future__ import annotations

from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.invoices.invoice_object import subscription_of
from sandbox.resources.invoices.subscription_drafts import own_waiting_items
from sandbox.resources.subscriptions.billing import create_draft, credit_item
from sandbox.resources.subscriptions.pending_updates import drop_pending
from sandbox.resources.subscriptions.subscription_object import items_of, set_next_step
from sandbox.store import Transaction

# how soon a final invoice that only gives credit is given up
FINAL_CREDIT_SECONDS = 3


async def cancel_now(tx: Transaction, subscription: Json, *, prorate: bool, invoice_now: bool) -> Json | None:
    """Cancel on request; return the draft of the final invoice, if one was asked for and there is anything on it.

    Without a final invoice what waited for the next one is removed, except for the credit that `prorate` makes.
    """
    if not invoice_now:
        for item in await own_waiting_items(tx, subscription):
            await emit(tx, "invoiceitem.deleted", item)
            await tx.delete(item)
    if prorate and subscription["status"] != "trialing":
        for item in items_of(subscription):
            await credit_item(tx, subscription, item, tx.now)
    draft = await final_draft(tx, subscription) if invoice_now else None
    subscription |= {"cancel_at": None, "cancel_at_period_end": False}
    await end_subscription(tx, subscription, "cancellation_requested")
    return draft


async def cancel_at_its_time(tx: Transaction, subscription: Json) -> None:
    """Cancel a subscription whose end has come; what waits for the next invoice is still collected."""
    await final_draft(tx, subscription)
    await end_subscription(tx, subscription, "cancellation_requested")


async def end_subscription(tx: Transaction, subscription: Json, reason: str | None, status: str = "canceled") -> None:
    """Give a subscription its last status; its open and draft invoices are not collected by themselves any more."""
    if subscription["pending_update"]:
        await drop_pending(tx, subscription)
    subscription |= {"status": status, "ended_at": tx.now, "schedule": None, "_trial_notice_at": None}
    if status == "canceled":
        if subscription["canceled_at"] is None:
            subscription["canceled_at"] = tx.now
        subscription["cancellation_details"]["reason"] = reason
    set_next_step(subscription)
    await tx.save(subscription)
    await _stop_collecting(tx, subscription)
    if status == "canceled":
        await emit(tx, "customer.subscription.deleted", subscription)
    else:
        await emit(tx, "customer.subscription.updated", subscription, {"status": "incomplete"})
    await tx.update_dependents(subscription)


async def cancel_of_deleted_customer(tx: Transaction, customer: Json) -> None:
    """Cancel the subscriptions of a customer that was deleted."""
    if not customer.get("deleted"):
        return
    for subscription in await tx.find_all("subscription", {"customer": customer["id"], "ended_at": None}):
        await end_subscription(tx, subscription, "cancellation_requested")


async def give_up_final_credit(tx: Transaction, invoice: Json) -> None:
    """Mark a final invoice that only gives credit as uncollectible: its credit never reaches the customer's balance."""
    before = snapshot(invoice)
    invoice |= {
        "status": "uncollectible",
        "status_details": {"uncollectible": {"reason": "subscription_canceled"}},
        "_given_up_at": None,
    }
    invoice["status_transitions"]["marked_uncollectible_at"] = tx.now
    await tx.save(invoice)
    await emit(tx, "invoice.updated", invoice, previous_attributes(before, invoice))
    await emit(tx, "invoice.marked_uncollectible", invoice)


async def final_draft(tx: Transaction, subscription: Json) -> Json | None:
    """Store the draft that collects what waits for a subscription that ends; None if nothing does."""
    if not await own_waiting_items(tx, subscription):
        return None
    start = min(item["current_period_start"] for item in items_of(subscription))
    draft = await create_draft(
        tx, subscription, [], reason="subscription_cycle", period=(start, tx.now), auto_advance=True
    )
    draft["_final"] = True
    if draft["total"] < 0:
        draft |= {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
        draft["_given_up_at"] = tx.now + FINAL_CREDIT_SECONDS
    return await tx.save(draft)


async def _stop_collecting(tx: Transaction, subscription: Json) -> None:
    """Leave the invoices of the subscription's customer to whoever pays or voids them, except for the final one."""
    for status in ("draft", "open"):
        match = {"customer": subscription["customer"], "status": status, "auto_advance": True}
        for invoice in await tx.find_all("invoice", match):
            if subscription_of(invoice) != subscription["id"] or invoice.get("_final"):
                continue
            before = snapshot(invoice)
            invoice |= {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
            await tx.save(invoice)
            await emit(tx, "invoice.updated", invoice, previous_attributes(before, invoice))
