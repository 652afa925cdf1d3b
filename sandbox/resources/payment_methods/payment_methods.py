"""Payment methods: cards, by Stripe's test tokens and test numbers."""

from __future__ import annotations

from datetime import UTC, datetime

from sandbox.calls import Call, answer_page, paged
from sandbox.errors import Json, StripeError, card_error, invalid, missing
from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.metadata import merged
from sandbox.resources.customers.customers import full_address
from sandbox.resources.payment_methods.cards import BY_NUMBER, BY_TOKEN, Card, Decline, card_details
from sandbox.store import Transaction


async def create(call: Call) -> Json:
    """POST /v1/payment_methods: a card by number, or by `card[token]` such as `tok_visa`."""
    card = card_of(call.params)
    return await make(call.tx, card, call.params)


def card_of(params: Json) -> Card:
    """Return the test card that the parameters `type` and `card` name. Raises StripeError for any other."""
    given = params.get("card", {})
    if params.get("type") != "card" or not given:
        raise invalid("The sandbox implements payment methods of type card only.", param="type")
    if "token" in given:
        card = BY_TOKEN.get(given["token"].replace("tok_", "pm_card_", 1))
    else:
        card = BY_NUMBER.get(given.get("number", "").replace(" ", ""))
    if card is None:
        raise StripeError(402, "card_error", "Your card number is incorrect.", code="incorrect_number", param="number")
    return card


async def make(tx: Transaction, card: Card, params: Json) -> Json:
    """Store a new payment method for a test card."""
    billing = params.get("billing_details", {})
    method: Json = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": params.get("allow_redisplay", "unspecified"),
        "billing_details": {
            "address": full_address(billing.get("address")) or full_address({"country": None}),
            "email": billing.get("email") or None,
            "name": billing.get("name") or None,
            "phone": billing.get("phone") or None,
            "tax_id": None,
        },
        "card": card_details(card, datetime.fromtimestamp(tx.now, UTC).year),
        "created": tx.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "type": "card",
        "_card": card.token,
        "_set_up": False,
    }
    return await tx.insert(method)


async def resolve(tx: Transaction, reference: str, param: str = "payment_method") -> Json:
    """Return the payment method an identifier names; a test token `pm_card_…` makes a new one.

    Raises resource_missing for anything else.
    """
    if reference in BY_TOKEN:
        return await make(tx, BY_TOKEN[reference], {})
    found = await tx.find("payment_method", reference)
    if found is None:
        raise missing("PaymentMethod", reference, param, 400)
    return found


def allowed_types(params: Json) -> list[str] | None:
    """Return the parameter `allowed_payment_method_types`. Raises StripeError unless it allows cards."""
    allowed = params.get("allowed_payment_method_types")
    if allowed is not None and "card" not in allowed:
        raise invalid("The sandbox implements payment methods of type card only.", param="allowed_payment_method_types")
    return allowed


def behaviour(method: Json) -> Card:
    """Return the test card behind a payment method."""
    return BY_TOKEN[method["_card"]]


async def attach(call: Call) -> Json:
    """POST /v1/payment_methods/{id}/attach. Raises a card error for a card that can't be saved."""
    customer = await call.tx.get("customer", call.params["customer"], "customer")
    return await attach_to(call.tx, call.id, customer)


async def attach_to(tx: Transaction, reference: str, customer: Json) -> Json:
    """Attach a payment method to a customer, as the bank allows; a decline leaves nothing behind."""
    method = await resolve(tx, reference)
    card = behaviour(method)
    if not card.attaches and card.declines is not None:
        error = declined(card.declines, {"payment_method": method})
        error.keeps_changes = False
        raise error
    return await bind(tx, method, customer["id"])


async def bind(tx: Transaction, method: Json, customer_id: str) -> Json:
    """Attach a payment method that the bank has accepted; one that belongs to another customer is refused."""
    if method["customer"] == customer_id:
        return method
    refuse_detached(method)
    if method["customer"] is not None:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    method["customer"] = customer_id
    await tx.save(method)
    await emit(tx, "payment_method.attached", method)
    return method


def refuse_detached(method: Json) -> None:
    """Raise a StripeError for a payment method that was detached: it may not be used again."""
    if method.get("_detached"):
        raise invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with"
            " a connected account without Customer attachment, or was detached from a Customer. It may not be used again.",
            code="payment_method_unexpected_state",
            param="payment_method",
        )


def declined(decline: Decline, details: Json) -> StripeError:
    """Return the card error of a decline."""
    return card_error(decline.message, decline.code, decline_code=decline.decline_code, details=details)


async def detach(call: Call) -> Json:
    """POST /v1/payment_methods/{id}/detach: it can't be used again, and stops being the default."""
    method = await call.tx.get("payment_method", call.id)
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            code="payment_method_unexpected_state",
        )
    owner, method["customer"] = method["customer"], None
    method["_detached"] = True
    await call.tx.save(method)
    await emit(call.tx, "payment_method.detached", method, {"customer": owner})
    customer = await call.tx.get("customer", owner)
    if customer["invoice_settings"]["default_payment_method"] == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
        await call.tx.save(customer)
        previous = {"invoice_settings": {"default_payment_method": method["id"]}}
        await emit(call.tx, "customer.updated", customer, previous)
    return method


async def update(call: Call) -> Json:
    """POST /v1/payment_methods/{id}: metadata and billing details."""
    method = await call.tx.get("payment_method", call.id)
    method["metadata"] = merged(method["metadata"], call.params.get("metadata"))
    billing = call.params.get("billing_details", {})
    for name in ("email", "name", "phone"):
        if name in billing:
            method["billing_details"][name] = billing[name] or None
    if "address" in billing:
        method["billing_details"]["address"] = full_address(billing["address"] or {"country": None})
    await call.tx.save(method)
    await emit(call.tx, "payment_method.updated", method)
    return method


async def list_methods(call: Call) -> Json:
    """GET /v1/payment_methods and GET /v1/customers/{id}/payment_methods: those attached to a customer."""
    customer = call.ids.get("id") or call.params.get("customer")
    if customer is None:
        raise invalid("The sandbox lists payment methods by customer only.", param="customer")
    await call.tx.get("customer", customer, None if "id" in call.ids else "customer")
    query = paged(call, "payment_method")
    query.match = {"customer": customer} | ({"type": call.params["type"]} if "type" in call.params else {})
    return await answer_page(call, query)


async def retrieve_for_customer(call: Call) -> Json:
    """GET /v1/customers/{id}/payment_methods/{payment_method}."""
    method = await call.tx.get("payment_method", call.ids["payment_method"])
    if method["customer"] != call.id:
        raise missing("PaymentMethod", method["id"])
    return method
