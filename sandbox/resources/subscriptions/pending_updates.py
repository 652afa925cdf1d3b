"""Updates that wait for their payment: held back, made once it is there, dropped when it comes too late."""

from __future__ import annotations

from sandbox.errors import invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json, visible
from sandbox.resources.invoices.voiding import void_invoice
from sandbox.resources.subscriptions.subscription_object import items_of, set_next_step
from sandbox.store import Transaction

# how long a payment may be waited for at most
WAITING_SECONDS = 23 * 3600

_ALLOWED = {
    *(
        "expand",
        "payment_behavior",
        "proration_behavior",
        "proration_date",
        "billing_cycle_anchor",
        "items",
        "trial_end",
    ),
    *("metadata", "off_session", "add_invoice_items"),
}
_ALLOWED_OF_ITEMS = {"id", "price", "quantity", "deleted"}
# what of a subscription the change makes and the payment decides
_HELD_BACK = (
    *(
        "items",
        "billing_cycle_anchor",
        "metadata",
        "trial_end",
        "trial_start",
        "_trial_notice_at",
        "_discounts",
        "discounts",
    ),
)


def check_pending_params(params: Json) -> None:
    """Raise a StripeError for what can't be changed by an update that waits for its payment."""
    refused = sorted(params.keys() - _ALLOWED)
    refused += [
        f"items[{name}]" for item in params.get("items", []) for name in sorted(item.keys() - _ALLOWED_OF_ITEMS)
    ]
    if refused:
        raise invalid_request(
            f"`{refused[0]}` can't be updated when `payment_behavior` is `pending_if_incomplete`.", param=refused[0]
        )
    bills = (
        params.get("proration_behavior") == "always_invoice"
        or params.get("trial_end") == "now"
        or params.get("billing_cycle_anchor", {}).get("type") == "now"
    )
    if not bills:
        raise invalid_request(
            "`payment_behavior` can be `pending_if_incomplete` only when the update makes an invoice:"
            " pass `proration_behavior=always_invoice`.",
            param="payment_behavior",
        )


async def hold_back(tx: Transaction, stored: Json, changed: Json, draft: Json) -> None:
    """Keep a change beside the subscription, which stays as it is, until the draft is paid."""
    fields = {name: changed[name] for name in _HELD_BACK}
    if stored["status"] != changed["status"]:
        fields["status"] = changed["status"]
    stored["_pending"] = {"invoice": draft["id"], "fields": fields}
    await tx.save(stored)


async def wait_for_payment(tx: Transaction, subscription_id: str, draft: Json) -> None:
    """Show that an update waits for the payment of its invoice, and until when."""
    subscription = await tx.get("subscription", subscription_id)
    before = snapshot(subscription)
    changed = subscription["_pending"]["fields"]
    ends = [item["current_period_end"] for item in items_of(subscription)] if subscription["status"] != "paused" else []
    if subscription["status"] == "trialing":
        ends.append(subscription["trial_end"])
    subscription |= {
        "latest_invoice": draft["id"],
        "pending_update": {
            "billing_cycle_anchor": _if_changed(subscription, changed, "billing_cycle_anchor"),
            "cancel_at_period_end": None,
            "discount": None,
            "discounts": None,
            "expires_at": min([tx.now + WAITING_SECONDS, *ends]),
            "metadata": _if_changed(subscription, changed, "metadata"),
            "subscription_items": visible(changed["items"]["data"]),
            "trial_end": _if_changed(subscription, changed, "trial_end"),
            "trial_from_plan": None,
        },
    }
    set_next_step(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))


async def make_pending(tx: Transaction, subscription: Json) -> None:
    """Make the change that was held back, now that it is paid."""
    before = snapshot(subscription)
    pending = subscription["_pending"]
    subscription |= pending["fields"] | {
        "latest_invoice": pending["invoice"],
        "pending_update": None,
        "_pending": None,
    }
    set_next_step(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))
    await emit(tx, "customer.subscription.pending_update_applied", subscription)
    await tx.update_dependents(subscription)


async def drop_pending(tx: Transaction, subscription: Json) -> None:
    """Drop an update that waits, and void its invoice."""
    invoice_id = subscription["_pending"]["invoice"]
    await clear_pending(tx, subscription)
    invoice = await tx.get("invoice", invoice_id)
    if invoice["status"] == "open":
        await void_invoice(tx, invoice)


async def clear_pending(tx: Transaction, subscription: Json) -> None:
    """Forget an update that waited; its invoice is void, or will be."""
    before = snapshot(subscription)
    subscription |= {"pending_update": None, "_pending": None}
    set_next_step(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))
    await emit(tx, "customer.subscription.pending_update_expired", subscription)


def _if_changed(subscription: Json, changed: Json, name: str) -> object:
    return changed[name] if changed[name] != subscription[name] else None
