"""Completing a Checkout session: the customer submits its page, the intent succeeds, the invoice is made."""

from __future__ import annotations

from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.checkout.subscribing import finish, submit_subscription
from sandbox.resources.invoices.drafts import create_draft
from sandbox.resources.invoices.finalization import finalize_invoice
from sandbox.resources.invoices.invoice_item_object import create_item_from_price
from sandbox.resources.invoices.invoice_object import subscription_of
from sandbox.resources.payments.payment_attempts import attempt_payment
from sandbox.resources.payments.payment_intent_object import create_payment_intent
from sandbox.resources.payments.setup_attempts import attempt_setup
from sandbox.resources.tax.tax_ids import create_tax_id
from sandbox.store import Transaction


async def submit_session(
    tx: Transaction, session: Json, method: Json, details: Json
) -> tuple[Json | None, StripeError | None]:
    """Act as the customer who submits the page with a card; return the intent and the card error, if any.

    `details` are the name, the address and the tax id given on the page. The intent is None where nothing was due. Raises
    StripeError if the session is no longer open.
    """
    if session["status"] != "open":
        raise invalid_request(f"This Checkout Session is {session['status']}.")
    session["_details"] = details
    await tx.save(session)
    if session["mode"] == "subscription":
        await _update_customer(tx, session, details)
        intent, error = await submit_subscription(tx, session, method)
        if intent is None:
            await _complete(tx, session)
        return intent, error
    if session["mode"] == "setup":
        intent = await tx.get("setup_intent", session["setup_intent"])
        error = await attempt_setup(tx, intent, method)
    else:
        intent = await _get_or_create_payment_intent(tx, session)
        error = await attempt_payment(tx, intent, method, off_session=False)
    await _complete_if_succeeded(tx, session, intent)
    return intent, error


async def complete_session_of_intent(tx: Transaction, intent: Json) -> None:
    """Complete the session that an intent belongs to, if any, once the intent has succeeded."""
    if intent.get("_session") is not None:
        await _complete_if_succeeded(tx, await tx.get("checkout.session", intent["_session"]), intent)


async def _get_or_create_payment_intent(tx: Transaction, session: Json) -> Json:
    if session["payment_intent"] is not None:
        return await tx.get("payment_intent", session["payment_intent"])
    given = session["_payment_intent_data"]
    intent = await create_payment_intent(
        tx,
        session["amount_total"],
        session["currency"],
        customer=session["customer"],
        description=given.get("description"),
        setup_future_usage=given.get("setup_future_usage"),
        metadata=merge_metadata({}, given.get("metadata")),
        _session=session["id"],
        _return_url=session["url"],
    )
    session["payment_intent"] = intent["id"]
    await tx.save(session)
    return intent


async def _complete_if_succeeded(tx: Transaction, session: Json, intent: Json) -> None:
    if intent["status"] != "succeeded" or session["status"] != "open":
        return
    if session["mode"] == "subscription":
        session |= {"_subscription": await _subscription_of(tx, intent)}
        await finish(tx, session, intent["payment_method"])
    else:
        await _update_customer(tx, session, session["_details"])
    await _complete(tx, session, intent)


async def _complete(tx: Transaction, session: Json, intent: Json | None = None) -> None:
    details = session["_details"]
    session |= {"status": "complete", "url": None}
    session["customer_details"] |= {name: details[name] for name in ("name", "address") if details.get(name)}
    session["customer_details"]["tax_ids"] = [tax_id for tax_id in (details.get("tax_id"),) if tax_id]
    if session["mode"] == "payment" and intent is not None:
        session["payment_status"] = "paid"
        if session["invoice_creation"]["enabled"]:
            session["invoice"] = (await _create_invoice(tx, session, intent))["id"]
    await tx.save(session)
    await emit(tx, "checkout.session.completed", session)


async def _update_customer(tx: Transaction, session: Json, details: Json) -> None:
    """Copy from the page to the customer what the parameter `customer_update` allows."""
    changed = {
        name: details[name]
        for name in ("name", "address")
        if session["_customer_update"].get(name) == "auto" and details.get(name)
    }
    customer = await tx.get("customer", session["customer"])
    if changed:
        before = snapshot(customer)
        customer |= changed
        await tx.save(customer)
        await emit(tx, "customer.updated", customer, previous_attributes(before, customer))
        await tx.update_dependents(customer)
    if details.get("tax_id") and not await tx.find_all("tax_id", {"customer": customer["id"]}):
        await create_tax_id(tx, customer, details["tax_id"])


async def _subscription_of(tx: Transaction, intent: Json) -> str | None:
    return subscription_of(await tx.get("invoice", intent["_invoice"]))


async def _create_invoice(tx: Transaction, session: Json, intent: Json) -> Json:
    """Store the invoice of a completed session, paid by its payment intent."""
    data = session["invoice_creation"]["invoice_data"]
    draft = await create_draft(
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
        rates = [tax["rate"]["id"] for tax in line["taxes"]]
        await create_item_from_price(tx, draft, line["price"], line["quantity"], rates)
    return await finalize_invoice(tx, draft, intent)
