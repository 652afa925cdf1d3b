"""Resuming a paused subscription: a new period is billed, and begins once it is paid."""

from __future__ import annotations

from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit, snapshot
from sandbox.objects import Json
from sandbox.resources.invoices.finalization import finalize_invoice
from sandbox.resources.invoices.paying import pay_invoice
from sandbox.resources.subscriptions.billing import create_draft
from sandbox.resources.subscriptions.changes import Change, apply_change
from sandbox.resources.subscriptions.pending_updates import hold_back, wait_for_payment
from sandbox.resources.subscriptions.subscription_object import items_of
from sandbox.resources.subscriptions.trials import payment_method_of
from sandbox.store import Transaction


async def resume_subscription(tx: Transaction, subscription: Json, params: Json) -> Json:
    """Bill a new period of a paused subscription; it is active once that is paid, for which it waits 23 hours."""
    if subscription["status"] != "paused":
        raise invalid_request("Only a subscription with the status `paused` can be resumed.")
    if params.get("billing_cycle_anchor", {}).get("type", "now") != "now":
        raise invalid_request("The sandbox resumes subscriptions with a new period only.", param="billing_cycle_anchor")
    stored = await tx.get("subscription", subscription["id"])
    subscription["status"] = "active"
    change = Change([snapshot(item) for item in items_of(subscription)], tx.now, False, True, True)
    await apply_change(tx, subscription, change)
    draft = await create_draft(tx, subscription, change.lines, reason="subscription_update", period=(tx.now, tx.now))
    await hold_back(tx, stored, subscription, draft)
    invoice = await finalize_invoice(tx, draft)
    error: StripeError | None = None
    has_card = await payment_method_of(tx, stored) is not None
    if invoice["status"] == "open" and has_card:
        error = await pay_invoice(tx, invoice, None, off_session=True)
    if error is not None or (invoice["status"] == "open" and not has_card):
        await wait_for_payment(tx, subscription["id"], draft)
    resumed = await tx.get("subscription", subscription["id"])
    if resumed["status"] == "active":
        await emit(tx, "customer.subscription.resumed", resumed)
    return resumed
