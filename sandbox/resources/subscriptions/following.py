"""What an invoice's fate means for the subscription that it bills."""

from __future__ import annotations

from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.invoices.invoice_object import subscription_of
from sandbox.resources.subscriptions.cancellation import end_subscription
from sandbox.resources.subscriptions.pending_updates import clear_pending, make_pending
from sandbox.resources.subscriptions.subscription_object import ENDED, set_next_step
from sandbox.store import Transaction

# After an automatic attempt that failed the next one follows after so many days; after the last one the subscription is
# canceled. At Stripe this is a setting of the account, which no call of the API reads or changes.
RETRY_DAYS = (3, 5, 7)

_SECONDS_OF_A_DAY = 86400


async def follow_invoice(tx: Transaction, invoice: Json) -> None:
    """Bring a subscription in line with an invoice of its that was paid or called off, or that could not be paid."""
    subscription_id = subscription_of(invoice)
    subscription = await tx.find_including_deleted("subscription", subscription_id) if subscription_id else None
    if subscription is None or subscription["status"] in ENDED:
        return
    if subscription["_pending"] and subscription["_pending"]["invoice"] == invoice["id"]:
        await _follow_pending(tx, subscription, invoice)
    elif subscription["status"] == "incomplete":
        await _follow_first_invoice(tx, subscription, invoice)
    elif invoice["status"] == "open":
        await _follow_failure(tx, subscription, invoice)
    elif invoice["status"] in ("paid", "void", "uncollectible"):
        await _recover(tx, subscription, invoice)


async def await_payment(tx: Transaction, subscription_id: str, invoice: Json) -> None:
    """Let a subscription be past due until an invoice is paid that nobody has tried to pay yet."""
    subscription = await tx.get("subscription", subscription_id)
    if invoice["status"] == "open" and subscription["status"] == "active":
        subscription["_failed_invoice"] = invoice["id"]
        await _set_status(tx, subscription, "past_due")


async def retry_or_give_up(tx: Transaction, invoice: Json) -> None:
    """Say when an invoice that could not be paid automatically is tried again; after the last time its subscription ends."""
    attempts = invoice["attempt_count"]
    if attempts <= len(RETRY_DAYS):
        invoice |= {
            "auto_advance": True,
            "next_payment_attempt": tx.now + RETRY_DAYS[attempts - 1] * _SECONDS_OF_A_DAY,
        }
        await tx.save(invoice)
        return
    subscription = await tx.get("subscription", subscription_of(invoice) or "")
    await end_subscription(tx, subscription, "payment_failed")


async def _follow_pending(tx: Transaction, subscription: Json, invoice: Json) -> None:
    if invoice["status"] == "paid":
        await make_pending(tx, subscription)
    elif invoice["status"] in ("void", "uncollectible"):
        await clear_pending(tx, subscription)


async def _follow_first_invoice(tx: Transaction, subscription: Json, invoice: Json) -> None:
    if invoice["id"] != subscription["latest_invoice"]:
        return
    if invoice["status"] == "paid":
        await _set_status(tx, subscription, "active")
    elif invoice["status"] in ("void", "uncollectible"):
        await end_subscription(tx, subscription, None, "incomplete_expired")


async def _follow_failure(tx: Transaction, subscription: Json, invoice: Json) -> None:
    if not invoice["attempted"]:
        return
    if invoice["next_payment_attempt"] is None:
        await retry_or_give_up(tx, invoice)
        subscription = await tx.get("subscription", subscription["id"])
    if subscription["status"] in ENDED:
        return
    subscription["_failed_invoice"] = invoice["id"]
    await tx.save(subscription)
    if subscription["status"] in ("active", "trialing"):
        await _set_status(tx, subscription, "past_due")


async def _recover(tx: Transaction, subscription: Json, invoice: Json) -> None:
    """Let a subscription that is past due be active again once the invoice it is past due for is closed, or a later one paid."""
    closes = invoice["id"] == subscription.get("_failed_invoice")
    paid = invoice["status"] == "paid" and invoice["id"] == subscription["latest_invoice"]
    if subscription["status"] in ("past_due", "unpaid") and (closes or paid):
        subscription["_failed_invoice"] = None
        await _set_status(tx, subscription, "active")


async def _set_status(tx: Transaction, subscription: Json, status: str) -> None:
    before = snapshot(subscription)
    subscription |= {"status": status, "_expires_at": None}
    set_next_step(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))
