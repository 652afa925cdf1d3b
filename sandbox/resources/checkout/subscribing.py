"""Checkout in subscription mode: the subscription is made when the page is submitted, and is active once it is paid."""

from __future__ import annotations

from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.checkout.line_items import set_quantity
from sandbox.resources.checkout.session_object import set_lines
from sandbox.resources.invoices.finalization import finalize_invoice
from sandbox.resources.invoices.voiding import void_invoice
from sandbox.resources.payment_methods.attachment import attach_to_customer
from sandbox.resources.payments.payment_attempts import attempt_payment
from sandbox.resources.subscriptions.cancellation import end_subscription
from sandbox.resources.subscriptions.creation import draft_subscription
from sandbox.resources.subscriptions.items import MAX_ITEMS, check_together
from sandbox.resources.subscriptions.subscription_object import set_next_step
from sandbox.store import Transaction

# parameters of `subscription_data` that a subscription has too
_COPIED = (
    *("billing_mode", "default_tax_rates", "metadata", "description", "billing_cycle_anchor", "proration_behavior"),
    *("trial_period_days", "trial_end", "trial_settings"),
)


async def check_subscription(tx: Transaction, params: Json, lines: list[Json], customer: Json) -> None:
    """Raise a StripeError unless a subscription can be made of the line items."""
    recurring = [line for line in lines if line["price"]["type"] == "recurring"]
    if not recurring:
        raise invalid_request(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            param="line_items",
        )
    if len(lines) - len(recurring) > MAX_ITEMS:
        raise invalid_request(f"There can be up to {MAX_ITEMS} one-time prices.", param="line_items")
    check_together([{"price": line["price"]} for line in recurring])
    if params.get("payment_method_collection", "always") != "always":
        raise invalid_request(
            "The sandbox implements Checkout with a card collected always.", param="payment_method_collection"
        )
    if any(name.startswith("trial") for name in params.get("subscription_data", {})):
        raise invalid_request(
            "The sandbox does not implement trials that begin at Checkout.", param="subscription_data[trial_end]"
        )


async def submit_subscription(tx: Transaction, session: Json, method: Json) -> tuple[Json | None, StripeError | None]:
    """Pay the first invoice of the session's subscription, which is made if it is not there yet.

    Returns the payment intent, or None where nothing was due, and the card error, if any.
    """
    if session["_intent"] is None:
        await _create(tx, session)
        await tx.save(session)
    if session["_intent"] is None:
        # a credit of the customer has paid for it; the card is for the renewals
        customer = await tx.get("customer", session["customer"])
        await attach_to_customer(tx, method["id"], customer)
        await finish(tx, session, method["id"])
        return None, None
    intent = await tx.get("payment_intent", session["_intent"])
    error = await attempt_payment(tx, intent, method, off_session=False)
    await tx.update_dependents(intent)
    return intent, error


async def finish(tx: Transaction, session: Json, method_id: str) -> None:
    """Set on the session and the subscription what is known once it is paid: the card becomes the subscription's own."""
    subscription = await tx.get("subscription", session["_subscription"])
    before = snapshot(subscription)
    subscription |= {"default_payment_method": method_id, "_session": None}
    await tx.save(subscription)
    await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))
    session |= {
        "subscription": subscription["id"],
        "invoice": subscription["latest_invoice"],
        "payment_status": "paid",
    }


async def give_up(tx: Transaction, session: Json) -> None:
    """End the subscription that a session has made and nobody has paid."""
    if session["_subscription"] is None:
        return
    subscription = await tx.get("subscription", session["_subscription"])
    if subscription["status"] != "incomplete":
        return
    await end_subscription(tx, subscription, None, "incomplete_expired")
    invoice = await tx.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        await void_invoice(tx, invoice)


async def adjust_quantities(tx: Transaction, session: Json, quantities: dict[int, int]) -> None:
    """Set the quantities chosen on the page. Raises StripeError for one that the session does not allow.

    A subscription that was made for other quantities, and not paid, is given up.
    """
    lines = session["_line_items"]
    chosen = {place: quantity for place, quantity in quantities.items() if quantity != lines[place]["quantity"]}
    if not chosen:
        return
    customer = await tx.get("customer", session["customer"])
    for place, quantity in chosen.items():
        bounds = lines[place]["adjustable_quantity"]
        if bounds is None or not bounds["minimum"] <= quantity <= bounds["maximum"]:
            raise invalid_request("This quantity can't be chosen.", param=f"quantity_{place}")
        rates = [tax["rate"] for tax in lines[place]["taxes"]]
        set_quantity(lines[place], quantity, rates, customer, f"quantity_{place}")
    set_lines(session, session["_line_items"])
    if not any(line["quantity"] for line in session["_line_items"]):
        raise invalid_request("Choose at least one.", param="quantity_0")
    await give_up(tx, session)
    session |= {"_subscription": None, "_intent": None}


async def _create(tx: Transaction, session: Json) -> None:
    """Store the subscription, incomplete, and its first invoice, open."""
    data: Json = session["_subscription_data"]
    recurring = [line for line in session["_line_items"] if line["price"]["type"] == "recurring"]
    once = [line for line in session["_line_items"] if line["price"]["type"] != "recurring"]
    params: Json = {
        "customer": session["customer"],
        "payment_behavior": "default_incomplete",
        "items": [_item(line) for line in recurring],
        "add_invoice_items": [_item(line) for line in once],
        **{name: data[name] for name in _COPIED if name in data},
    }
    subscription, draft = await draft_subscription(tx, params)
    # the session's own end takes the place of the 23 hours
    subscription |= {"_session": session["id"], "_expires_at": None}
    set_next_step(subscription)
    await tx.save(subscription)
    await emit(tx, "customer.subscription.created", subscription)
    session["_subscription"] = subscription["id"]
    if draft is None:
        return
    invoice = await finalize_invoice(tx, draft)
    if invoice["status"] == "paid":
        return
    [payment] = await tx.find_all("invoice_payment", {"invoice": invoice["id"]})
    intent = await tx.get("payment_intent", payment["payment"]["payment_intent"])
    await tx.save(intent | {"_session": session["id"], "_return_url": session["url"]})
    session["_intent"] = intent["id"]


def _item(line: Json) -> Json:
    rates = {"tax_rates": [tax["rate"]["id"] for tax in line["taxes"]]} if line["_own_rates"] else {}
    return {"price": line["price"]["id"], "quantity": line["quantity"], **rates}
