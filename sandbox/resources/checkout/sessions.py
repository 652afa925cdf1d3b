"""Checkout sessions in `payment` and `setup` mode: opened, completed, expired."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import Json, StripeError, invalid
from sandbox.events import emit
from sandbox.expansion import as_list
from sandbox.ids import new_id, random_text
from sandbox.metadata import merged
from sandbox.resources.checkout.session_object import new_line_item, new_session
from sandbox.resources.invoices.invoice_items import make_from_price
from sandbox.resources.invoices.invoices import finalize
from sandbox.resources.invoices.invoices import make as make_invoice
from sandbox.resources.invoices.totals import MINIMUM_CHARGE
from sandbox.resources.payment_methods.payment_methods import allowed_types
from sandbox.resources.payments import payment_attempts as payments
from sandbox.resources.payments import setup_intents
from sandbox.resources.products.products import make_inline_price
from sandbox.store import Transaction

SHORTEST_SECONDS = 30 * 60
LONGEST_SECONDS = 24 * 3600


async def create(call: Call) -> Json:
    """POST /v1/checkout/sessions."""
    tx, params = call.tx, call.params
    _check(params)
    customer = await tx.get("customer", params["customer"], "customer")
    session = new_session(f"cs_test_{random_text(58)}", params, customer, tx)
    session["allowed_payment_method_types"] = allowed_types(params)
    session["expires_at"] = _expiry(tx, params)
    if params["mode"] == "setup":
        given = params.get("setup_intent_data", {})
        intent = await setup_intents.make_intent(tx, given | {"customer": customer["id"]})
        session["setup_intent"] = intent["id"]
        await tx.save(intent | {"_session": session["id"], "_return_url": session["url"]})
        return await tx.insert(session)
    lines = [await _line(tx, line, customer) for line in params["line_items"]]
    currencies = {line["currency"] for line in lines}
    if len(currencies) != 1:
        raise invalid("All line items of a Checkout Session must have the same currency.", param="line_items")
    session |= {
        "currency": currencies.pop(),
        "amount_subtotal": sum(line["amount_subtotal"] for line in lines),
        "amount_total": sum(line["amount_total"] for line in lines),
        "_line_items": lines,
    }
    session["total_details"]["amount_tax"] = sum(line["amount_tax"] for line in lines)
    if session["amount_total"] < MINIMUM_CHARGE:
        raise invalid(
            f"The Checkout Session's total amount due must add up to at least {MINIMUM_CHARGE} in the smallest unit.",
            code="amount_too_small",
        )
    return await tx.insert(session)


def _check(params: Json) -> None:
    for name in ("mode", "success_url"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    if params["mode"] == "subscription":
        raise invalid("The sandbox does not implement Checkout Sessions in `subscription` mode.", param="mode")
    if params["mode"] == "payment" and not params.get("line_items"):
        raise invalid("You must provide `line_items` in `payment` mode.", code="parameter_missing", param="line_items")
    only = {"setup": ("line_items", "payment_intent_data", "invoice_creation"), "payment": ("setup_intent_data",)}
    for name in only[params["mode"]]:
        if name in params:
            raise invalid(f"You can not pass `{name}` in `{params['mode']}` mode.", param=name)
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise invalid("The sandbox implements hosted Checkout pages only.", param="ui_mode")
    if params.get("automatic_tax", {}).get("enabled"):
        raise invalid("The sandbox does not implement automatic tax.", param="automatic_tax[enabled]")
    if "customer" not in params:
        raise invalid("The sandbox opens Checkout Sessions for a customer only.", param="customer")


def _expiry(tx: Transaction, params: Json) -> int:
    at = params.get("expires_at", tx.now + LONGEST_SECONDS)
    # a caller computes the time a moment before the call
    if not tx.now + SHORTEST_SECONDS - 60 <= at <= tx.now + LONGEST_SECONDS:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from session creation.",
            param="expires_at",
        )
    return at


async def _line(tx: Transaction, given: Json, customer: Json) -> Json:
    if ("price" in given) == ("price_data" in given):
        raise invalid("You must specify exactly one of price and price_data.", param="line_items")
    if "price" in given:
        price = await tx.get("price", given["price"], "line_items[price]")
    else:
        price = await make_inline_price(tx, given["price_data"])
    if price["type"] == "recurring":
        raise invalid("You specified `payment` mode but passed a recurring price.", param="line_items")
    rates = [await tx.get("tax_rate", rate, "line_items[tax_rates]") for rate in given.get("tax_rates", [])]
    product = await tx.get("product", price["product"])
    return new_line_item(new_id("li"), price, product["name"], given.get("quantity", 1), rates, customer["tax_exempt"])


async def list_line_items(call: Call) -> Json:
    """GET /v1/checkout/sessions/{id}/line_items."""
    session = await call.tx.get("checkout.session", call.id)
    return as_list(session["_line_items"], call.path)


async def expire_call(call: Call) -> Json:
    """POST /v1/checkout/sessions/{id}/expire."""
    session = await call.tx.get("checkout.session", call.id)
    if session["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of'
            f" {session['status']}."
        )
    return await expire(call.tx, session)


async def expire(tx: Transaction, session: Json) -> Json:
    """End an open session; whatever it had begun is canceled."""
    session |= {"status": "expired", "url": None}
    await tx.save(session)
    for kind in ("payment_intent", "setup_intent"):
        if session[kind] is not None:
            intent = await tx.get(kind, session[kind])
            if intent["status"] in payments.CONFIRMABLE:
                intent |= {"status": "canceled", "cancellation_reason": "abandoned", "next_action": None}
                await tx.save(intent)
                await emit(tx, f"{kind}.canceled", intent)
    await emit(tx, "checkout.session.expired", session)
    return session


async def submit(tx: Transaction, session: Json, method: Json, details: Json) -> tuple[Json, StripeError | None]:
    """Act as the customer who submits the page with a card; return the intent and the card error, if any.

    `details` are the name and address given on the page. Raises StripeError if the session is no longer open.
    """
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}.")
    session["_details"] = details
    await tx.save(session)
    if session["mode"] == "setup":
        intent = await tx.get("setup_intent", session["setup_intent"])
        error = await setup_intents.attempt(tx, intent, method)
    else:
        intent = await _payment(tx, session)
        error = await payments.attempt(tx, intent, method, off_session=False)
    await follow(tx, session, intent)
    return intent, error


async def _payment(tx: Transaction, session: Json) -> Json:
    if session["payment_intent"] is not None:
        return await tx.get("payment_intent", session["payment_intent"])
    given = session["_payment_intent_data"]
    intent = await payments.make_intent(
        tx,
        session["amount_total"],
        session["currency"],
        customer=session["customer"],
        description=given.get("description"),
        setup_future_usage=given.get("setup_future_usage"),
        metadata=merged({}, given.get("metadata")),
        _session=session["id"],
        _return_url=session["url"],
    )
    session["payment_intent"] = intent["id"]
    await tx.save(session)
    return intent


async def follow(tx: Transaction, session: Json, intent: Json) -> None:
    """Complete an open session once its intent has succeeded: customer, invoice, event."""
    if intent["status"] != "succeeded" or session["status"] != "open":
        return
    customer = await tx.get("customer", session["customer"])
    details = session["_details"]
    changed = {
        name: details[name]
        for name in ("name", "address")
        if session["_customer_update"].get(name) == "auto" and details.get(name)
    }
    if changed:
        customer |= changed
        await tx.save(customer)
        await emit(tx, "customer.updated", customer)
    session |= {"status": "complete", "url": None}
    session["customer_details"] |= {name: details[name] for name in ("name", "address") if details.get(name)}
    if session["mode"] == "payment":
        session["payment_status"] = "paid"
        if session["invoice_creation"]["enabled"]:
            session["invoice"] = (await _invoice(tx, session, intent))["id"]
    await tx.save(session)
    await emit(tx, "checkout.session.completed", session)


async def _invoice(tx: Transaction, session: Json, intent: Json) -> Json:
    """Make the paid invoice of a completed session."""
    data = session["invoice_creation"]["invoice_data"]
    draft = await make_invoice(
        tx,
        {
            "customer": session["customer"],
            "currency": session["currency"],
            "auto_advance": False,
            "metadata": data["metadata"] or {},
            "description": data["description"],
            "footer": data["footer"],
        },
    )
    for line in session["_line_items"]:
        await make_from_price(tx, draft, line["price"], line["quantity"], [tax["rate"]["id"] for tax in line["taxes"]])
    return await finalize(tx, draft, intent)
