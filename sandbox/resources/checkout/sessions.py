"""Checkout sessions: created, listed, expired."""

from __future__ import annotations

from urllib.parse import urlsplit

from sandbox.calls import Call
from sandbox.currencies import check_amount, minimum_charge, minimum_text
from sandbox.errors import invalid_request, missing_param
from sandbox.ids import random_text
from sandbox.objects import Json
from sandbox.resources.checkout.expiry import expire_session, expiry_time
from sandbox.resources.checkout.line_items import new_line_item
from sandbox.resources.checkout.session_object import new_session, set_lines
from sandbox.resources.checkout.subscribing import check_subscription
from sandbox.resources.payment_methods.payment_method_object import allowed_types
from sandbox.resources.payments.setup_intent_object import create_setup_intent
from sandbox.shared_handlers import answer_part

_ID_LENGTH = 58
# parameters that Stripe refuses in a mode
_NOT_IN_MODE = {
    "setup": (
        "line_items",
        "payment_intent_data",
        "invoice_creation",
        "subscription_data",
        "payment_method_collection",
    ),
    "payment": ("setup_intent_data", "subscription_data", "payment_method_collection"),
    "subscription": ("setup_intent_data", "payment_intent_data", "invoice_creation", "submit_type"),
}


async def create(call: Call) -> Json:
    """POST /v1/checkout/sessions."""
    tx, params = call.tx, call.params
    _check_params(params)
    customer = await tx.get("customer", params["customer"], "customer")
    session = new_session(f"cs_test_{random_text(_ID_LENGTH)}", params, customer, tx)
    session["allowed_payment_method_types"] = allowed_types(params)
    session["expires_at"] = expiry_time(tx, params)
    if params["mode"] == "setup":
        given = params.get("setup_intent_data", {})
        intent = await create_setup_intent(tx, given | {"customer": customer["id"]})
        session["setup_intent"] = intent["id"]
        await tx.save(intent | {"_session": session["id"], "_return_url": session["url"]})
        return await tx.insert(session)
    subscription_data: Json = params.get("subscription_data", {})
    defaults = {"mode": params["mode"], "rates": subscription_data.get("default_tax_rates", [])}
    lines = [
        await new_line_item(tx, line, customer, f"line_items[{place}]", defaults)
        for place, line in enumerate(params["line_items"])
    ]
    if params["mode"] == "subscription":
        await check_subscription(tx, params, lines, customer)
    currencies = {line["currency"] for line in lines}
    if len(currencies) != 1:
        raise invalid_request("All line items of a Checkout Session must have the same currency.", param="line_items")
    session["currency"] = currencies.pop()
    set_lines(session, lines)
    check_amount(session["amount_total"], session["currency"], "line_items")
    if params["mode"] == "payment" and session["amount_total"] < minimum_charge(session["currency"]):
        raise invalid_request(
            f"The Checkout Session's total amount due must add up to at least {minimum_text(session['currency'])}",
            code="amount_too_small",
        )
    return await tx.insert(session)


async def list_line_items(call: Call) -> Json:
    """GET /v1/checkout/sessions/{id}/line_items."""
    session = await call.tx.get("checkout.session", call.id)
    return answer_part(call, session["_line_items"])


async def expire(call: Call) -> Json:
    """POST /v1/checkout/sessions/{id}/expire."""
    session = await call.tx.get("checkout.session", call.id)
    if session["status"] != "open":
        raise invalid_request(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of'
            f" {session['status']}."
        )
    return await expire_session(call.tx, session)


def _check_params(params: Json) -> None:
    """Raise a StripeError for parameters that don't go together, or that the sandbox does not implement."""
    for name in ("mode", "success_url"):
        if name not in params:
            raise missing_param(name)
    for name in ("success_url", "cancel_url"):
        if name in params and not urlsplit(params[name]).scheme:
            raise invalid_request(
                "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param=name
            )
    if params["mode"] != "setup" and not params.get("line_items"):
        raise missing_param("line_items", f"You must provide `line_items` in `{params['mode']}` mode.")
    for name in _NOT_IN_MODE[params["mode"]]:
        if name in params:
            raise invalid_request(f"You can not pass `{name}` in `{params['mode']}` mode.", param=name)
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise invalid_request("The sandbox implements hosted Checkout pages only.", param="ui_mode")
    if params.get("automatic_tax", {}).get("enabled"):
        raise invalid_request("The sandbox does not implement automatic tax.", param="automatic_tax[enabled]")
    collection: Json = params.get("tax_id_collection", {})
    if collection.get("enabled") and params.get("customer_update", {}).get("name") != "auto":
        raise invalid_request(
            "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an"
            " existing customer, please set `customer_update[name]` to `auto`.",
            param="customer_update[name]",
        )
    if "customer" not in params:
        raise invalid_request("The sandbox opens Checkout Sessions for a customer only.", param="customer")
