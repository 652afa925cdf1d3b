"""What a customer does in the portal, as far as its configuration offers it."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.objects import Json
from sandbox.resources.customers import customers
from sandbox.resources.payment_methods import payment_methods
from sandbox.resources.payments.setup_attempts import attempt_setup
from sandbox.resources.payments.setup_intent_object import create_setup_intent
from sandbox.resources.subscriptions.cancellation import cancel_now
from sandbox.resources.subscriptions.refusals import refuse_ended
from sandbox.resources.subscriptions.subscription_object import ENDED
from sandbox.resources.subscriptions.updates import update_subscription
from sandbox.resources.tax import tax_ids
from sandbox.store import Transaction


async def cancel_subscription(tx: Transaction, session: Json, features: Json, given: Json) -> None:
    """Cancel a subscription: at its period's end by `cancel_at`, as the portal does, or at once if the configuration says so.

    Raises StripeError for a subscription that has a schedule: the portal neither changes nor cancels it.
    """
    cancelation = features["subscription_cancel"]
    _require(cancelation["enabled"], "cancel")
    subscription = await _subscription(tx, session, given)
    details: Json = {}
    if cancelation["cancellation_reason"]["enabled"] and given.get("feedback"):
        if given["feedback"] not in cancelation["cancellation_reason"]["options"]:
            raise invalid_request("This reason can't be chosen.", param="feedback")
        details = {"cancellation_details": {"feedback": given["feedback"]}}
    if cancelation["mode"] == "at_period_end":
        await update_subscription(tx, subscription, {"cancel_at": "max_period_end", **details})
        return
    subscription["cancellation_details"] |= details.get("cancellation_details", {})
    prorate = cancelation["proration_behavior"] == "create_prorations"
    await cancel_now(tx, subscription, prorate=prorate, invoice_now=False)


async def renew_subscription(tx: Transaction, session: Json, features: Json, given: Json) -> None:
    """Take back a cancelation that has not come yet."""
    _require(features["subscription_cancel"]["enabled"], "renew")
    await update_subscription(tx, await _subscription(tx, session, given), {"cancel_at": ""})


async def add_card(tx: Transaction, session: Json, features: Json, method: Json) -> tuple[Json, StripeError | None]:
    """Save a card, which becomes the default; return its setup intent, and the card error, if any."""
    _require(features["payment_method_update"]["enabled"], "add a card")
    intent = await create_setup_intent(tx, {"customer": session["customer"]})
    intent["_return_url"] = session["url"]
    error = await attempt_setup(tx, intent, method)
    if intent["status"] == "succeeded":
        await _make_default(tx, session, method["id"])
    return intent, error


async def make_default(tx: Transaction, session: Json, features: Json, given: Json) -> None:
    """Make a saved card the one that is charged, of all subscriptions too."""
    _require(features["payment_method_update"]["enabled"], "choose a card")
    method = await _method(tx, session, given)
    await _make_default(tx, session, method["id"])


async def remove_card(tx: Transaction, session: Json, features: Json, given: Json) -> None:
    """Remove a saved card. Raises StripeError for the one that is charged while there is a subscription."""
    _require(features["payment_method_update"]["enabled"], "remove a card")
    method = await _method(tx, session, given)
    customer = await tx.get("customer", session["customer"])
    live = await live_subscriptions(tx, session)
    charged = {subscription["default_payment_method"] for subscription in live}
    charged.add(customer["invoice_settings"]["default_payment_method"])
    if live and method["id"] in charged:
        raise invalid_request("This card pays for a subscription. Choose another one as default first.", param="card")
    await payment_methods.detach(Call(tx, {}, {"id": method["id"]}, ""))


async def update_details(tx: Transaction, session: Json, features: Json, given: Json) -> None:
    """Change what of the customer's details the configuration allows to change."""
    allowed: list[str] = (
        features["customer_update"]["allowed_updates"] if features["customer_update"]["enabled"] else []
    )
    changes: Json = {name: given[name] for name in ("name", "phone") if name in allowed and name in given}
    if "email" in allowed and given.get("email"):
        changes["email"] = given["email"]
    address = {name: given[name] for name in ("line1", "postal_code", "city", "country") if given.get(name)}
    if "address" in allowed and address:
        changes["address"] = address
    _require(bool(changes), "change these details")
    await customers.update(Call(tx, changes, {"id": session["customer"]}, ""))


async def add_tax_id(tx: Transaction, session: Json, features: Json, given: Json) -> None:
    """Add a tax id to the customer."""
    _require(_may_change_tax_ids(features), "add a tax id")
    params = {"type": given.get("tax_id_type", ""), "value": given.get("tax_id_value", "")}
    await tax_ids.create(Call(tx, params, {"id": session["customer"]}, ""))


async def remove_tax_id(tx: Transaction, session: Json, features: Json, given: Json) -> None:
    """Remove a tax id of the customer."""
    _require(_may_change_tax_ids(features), "remove a tax id")
    await tax_ids.delete(Call(tx, {}, {"id": session["customer"], "tax_id": given.get("tax_id", "")}, ""))


async def live_subscriptions(tx: Transaction, session: Json) -> list[Json]:
    """Return the customer's subscriptions that have not ended and are paid for."""
    found = await tx.find_all("subscription", {"customer": session["customer"]})
    return [each for each in found if each["status"] not in (*ENDED, "incomplete")]


def _may_change_tax_ids(features: Json) -> bool:
    return features["customer_update"]["enabled"] and "tax_id" in features["customer_update"]["allowed_updates"]


def _require(offered: bool, what: str) -> None:
    if not offered:
        raise invalid_request(f"This portal does not offer to {what}.")


async def _make_default(tx: Transaction, session: Json, method_id: str) -> None:
    settings = {"invoice_settings": {"default_payment_method": method_id}}
    await customers.update(Call(tx, settings, {"id": session["customer"]}, ""))
    for subscription in await live_subscriptions(tx, session):
        if subscription["default_payment_method"] is None:
            continue
        before = snapshot(subscription)
        subscription["default_payment_method"] = None
        await tx.save(subscription)
        await emit(tx, "customer.subscription.updated", subscription, previous_attributes(before, subscription))


async def _subscription(tx: Transaction, session: Json, given: Json) -> Json:
    subscription = await tx.get("subscription", given.get("subscription", ""), "subscription")
    if subscription["customer"] != session["customer"]:
        raise invalid_request("No such subscription.", param="subscription")
    refuse_ended(subscription)
    if subscription["schedule"] is not None:
        raise invalid_request(
            "This subscription has a change that is already planned, and can't be canceled or changed here.",
            param="subscription",
        )
    return subscription


async def _method(tx: Transaction, session: Json, given: Json) -> Json:
    method = await tx.get("payment_method", given.get("payment_method", ""), "payment_method")
    if method["customer"] != session["customer"]:
        raise invalid_request("No such card.", param="payment_method")
    return method
