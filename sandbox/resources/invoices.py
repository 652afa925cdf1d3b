"""Invoices: draft, finalized, paid, voided."""

from __future__ import annotations

from typing import Any

from sandbox.calls import Call
from sandbox.errors import Json, StripeError, card_error, invalid
from sandbox.events import emit
from sandbox.ids import new_id, random_text
from sandbox.metadata import merged
from sandbox.rendering import as_list
from sandbox.resources import payments
from sandbox.resources.customers import changes
from sandbox.resources.invoice_documents import new_invoice, new_line, new_payment
from sandbox.resources.invoice_totals import due_after_balance, line_taxes, totals
from sandbox.resources.payment_methods import resolve
from sandbox.store import Transaction

# an invoice that advances by itself waits this long, first as a draft and then before its payment
ADVANCE_AFTER_SECONDS = 3600

_UPDATABLE = (
    "auto_advance",
    "description",
    "footer",
    "statement_descriptor",
    "default_payment_method",
    "collection_method",
)


async def create(call: Call) -> Json:
    """POST /v1/invoices: a draft, with the customer's pending items where these are to be included."""
    if "customer" not in call.params:
        raise invalid("Missing required param: customer.", code="parameter_missing", param="customer")
    return await make(call.tx, call.params)


async def make(tx: Transaction, params: Json) -> Json:
    """Store a draft invoice."""
    customer = await tx.get("customer", params["customer"], "customer")
    for rate in params.get("default_tax_rates", []):
        await tx.get("tax_rate", rate, "default_tax_rates")
    currency = (params.get("currency") or customer["currency"] or "usd").lower()
    invoice = new_invoice(new_id("in"), customer, currency, tx.now)
    await _apply(tx, invoice, params)
    invoice["customer_tax_ids"] = [
        {"type": tax_id["type"], "value": tax_id["value"]}
        for tax_id in await tx.every("tax_id", {"customer": customer["id"]})
    ]
    if invoice["auto_advance"]:
        invoice["automatically_finalizes_at"] = tx.now + ADVANCE_AFTER_SECONDS
    await tx.insert(invoice)
    if params.get("pending_invoice_items_behavior") == "include":
        pending = {"customer": customer["id"], "invoice": None, "currency": currency}
        for item in await tx.every("invoiceitem", pending):
            await tx.save(item | {"invoice": invoice["id"]})
    await _compute(tx, invoice)
    await emit(tx, "invoice.created", invoice)
    return invoice


async def _apply(tx: Transaction, invoice: Json, params: Json) -> None:
    for name in _UPDATABLE:
        if name in params:
            invoice[name] = params[name]
    if "default_tax_rates" in params:
        invoice["_default_tax_rates"] = list(params["default_tax_rates"] or [])
    if invoice["default_payment_method"]:
        await tx.get("payment_method", invoice["default_payment_method"], "default_payment_method")
    invoice["metadata"] = merged(invoice["metadata"], params.get("metadata"))


def require_draft(invoice: Json) -> None:
    """Raise a StripeError unless the invoice is a draft."""
    if invoice["status"] != "draft":
        raise invalid("This invoice is no longer editable", code="invoice_not_editable", param="invoice")


async def recompute(tx: Transaction, invoice: Json) -> None:
    """Bring a draft's lines and totals in line with its items, and tell of it."""
    before = dict(invoice)
    await _compute(tx, invoice)
    await emit(tx, "invoice.updated", invoice, changes(before, invoice))


async def _compute(tx: Transaction, invoice: Json) -> None:
    defaults = invoice["_default_tax_rates"]
    rates = {rate: await tx.get("tax_rate", rate) for rate in defaults}
    invoice["default_tax_rates"] = [_public(rate) for rate in rates.values()]
    lines: list[Json] = []
    for item in await tx.every("invoiceitem", {"invoice": invoice["id"]}):
        for rate in item["tax_rates"]:
            rates[rate] = await tx.get("tax_rate", rate)
        applied = [rates[rate] for rate in item["tax_rates"] or defaults]
        taxes = line_taxes(item["amount"], applied, invoice["customer_tax_exempt"])
        lines.append(new_line(item, invoice["id"], taxes))
    invoice["lines"] = as_list(lines, f"/v1/invoices/{invoice['id']}/lines")
    invoice |= totals(lines)
    customer = await tx.get("customer", invoice["customer"])
    invoice["starting_balance"] = customer["balance"]
    due, _ = due_after_balance(invoice["total"], customer["balance"])
    invoice |= {"amount_due": due, "amount_remaining": due}
    await tx.save(invoice)


def _public(rate: Json) -> Json:
    return {name: value for name, value in rate.items() if not name.startswith("_")}


async def update(call: Call) -> Json:
    """POST /v1/invoices/{id}; after finalization only metadata, description and auto_advance change."""
    invoice = await call.tx.get("invoice", call.id)
    if invoice["status"] != "draft":
        late = call.params.keys() - {"metadata", "auto_advance", "description", "expand", "default_payment_method"}
        if late:
            raise invalid(
                f"Finalized invoices can't be updated in this way: {', '.join(sorted(late))}",
                code="invoice_not_editable",
            )
    before = dict(invoice)
    await _apply(call.tx, invoice, call.params)
    if invoice["status"] == "draft":
        advancing = call.tx.now + ADVANCE_AFTER_SECONDS if invoice["auto_advance"] else None
        invoice["automatically_finalizes_at"] = advancing
        await _compute(call.tx, invoice)
    await call.tx.save(invoice)
    await emit(call.tx, "invoice.updated", invoice, changes(before, invoice))
    return invoice


async def delete(call: Call) -> Json:
    """DELETE /v1/invoices/{id}: a draft and its items."""
    invoice = await call.tx.get("invoice", call.id)
    if invoice["status"] != "draft":
        raise invalid("You can only delete draft invoices. Void a finalized invoice.", code="invoice_not_editable")
    for item in await call.tx.every("invoiceitem", {"invoice": invoice["id"]}):
        await call.tx.delete(item)
    await emit(call.tx, "invoice.deleted", invoice)
    return await call.tx.delete(invoice)


async def list_lines(call: Call) -> Json:
    """GET /v1/invoices/{id}/lines."""
    invoice = await call.tx.get("invoice", call.id)
    return invoice["lines"]


async def finalize_call(call: Call) -> Json:
    """POST /v1/invoices/{id}/finalize."""
    invoice = await call.tx.get("invoice", call.id)
    if "auto_advance" in call.params:
        invoice["auto_advance"] = call.params["auto_advance"]
    return await finalize(call.tx, invoice)


async def finalize(tx: Transaction, invoice: Json) -> Json:
    """Give a draft its number, take the customer's balance into account, and make the intent that will pay it.

    An invoice with nothing due is paid at once.
    """
    if invoice["status"] != "draft":
        raise invalid("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    await _compute(tx, invoice)
    customer = await tx.get("customer", invoice["customer"])
    due, balance_after = due_after_balance(invoice["total"], customer["balance"])
    invoice |= {
        "status": "open",
        "number": f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}",
        "amount_due": due,
        "amount_remaining": due,
        "starting_balance": customer["balance"],
        "ending_balance": balance_after,
        "effective_at": tx.now,
        "automatically_finalizes_at": None,
        "_secret": random_text(32),
    }
    invoice["status_transitions"]["finalized_at"] = tx.now
    invoice["hosted_invoice_url"] = f"{tx.base_url}/invoices/{invoice['id']}/{invoice['_secret']}"
    invoice["invoice_pdf"] = f"{invoice['hosted_invoice_url']}/pdf"
    if invoice["auto_advance"] and due:
        invoice["next_payment_attempt"] = tx.now + ADVANCE_AFTER_SECONDS
    customer["next_invoice_sequence"] += 1
    customer |= {"balance": balance_after, "currency": invoice["currency"]}
    await tx.save(customer)
    if due:
        intent = await payments.make_intent(
            tx,
            due,
            invoice["currency"],
            customer=customer["id"],
            description="Payment for Invoice",
            _invoice=invoice["id"],
        )
        await tx.insert(new_payment(new_id("inpay"), invoice, intent["id"], tx.now))
    await tx.save(invoice)
    await emit(tx, "invoice.finalized", invoice)
    return invoice if due else await _paid(tx, invoice)


async def pay_call(call: Call) -> Json:
    """POST /v1/invoices/{id}/pay. Raises a card error if the card does not pay or its holder is needed."""
    tx, params = call.tx, call.params
    invoice = await tx.get("invoice", call.id)
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid")
    if invoice["status"] != "open":
        raise invalid(f"Invoices with a status of {invoice['status']} can't be paid; finalize a draft first.")
    if params.get("paid_out_of_band"):
        intent, _ = await _default_payment(tx, invoice)
        await payments.cancel(tx, intent, None)
        return await _paid(tx, invoice)
    error = await pay(tx, invoice, params.get("payment_method"), off_session=params.get("off_session", True))
    if error is not None:
        raise error
    return await tx.get("invoice", invoice["id"])


async def pay(tx: Transaction, invoice: Json, reference: str | None, *, off_session: bool) -> StripeError | None:
    """Try to pay an open invoice with a named payment method, its own or the customer's default.

    Returns the error to answer: a decline, or that the holder is needed.
    """
    customer = await tx.get("customer", invoice["customer"])
    chosen = reference or invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if chosen is None:
        raise invalid(
            "There is no `default_payment_method` set on this Customer or Invoice. Please provide one.",
            code="resource_missing",
        )
    method = await resolve(tx, chosen)
    if method["customer"] != customer["id"]:
        raise invalid(
            f"The customer does not have a payment method with the ID {chosen}."
            " The payment method must be attached to the customer.",
            code="resource_missing",
            param="payment_method",
        )
    intent, _ = await _default_payment(tx, invoice)
    error = await payments.attempt(tx, intent, method, off_session=off_session)
    await follow_payment(tx, invoice, intent)
    if error is None and intent["status"] == "requires_action":
        return card_error(
            "Payment for this invoice requires additional user action before it can be completed successfully."
            " Payment can be completed using the PaymentIntent associated with the invoice.",
            "invoice_payment_intent_requires_action",
            decline_code=None,
            details={"payment_intent": intent, "payment_method": method},
        )
    return error


async def pay_automatically(tx: Transaction, invoice: Json) -> None:
    """Try an advancing invoice with the default card when its time has come; without one it stays open."""
    customer = await tx.get("customer", invoice["customer"])
    if invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]:
        await pay(tx, invoice, None, off_session=True)
    else:
        await tx.save(invoice | {"next_payment_attempt": None})


async def follow_payment(tx: Transaction, invoice: Json, intent: Json) -> None:
    """Bring an invoice in line with the intent that pays it, after an attempt or an authentication."""
    if invoice["status"] != "open":
        return
    before = dict(invoice)
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1, "next_payment_attempt": None}
    if intent["status"] == "succeeded":
        await _paid(tx, invoice)
        return
    await tx.save(invoice)
    await emit(tx, "invoice.updated", invoice, changes(before, invoice))
    await emit(tx, "invoice.payment_failed", invoice)
    if intent["status"] == "requires_action":
        await emit(tx, "invoice.payment_action_required", invoice)


async def _paid(tx: Transaction, invoice: Json) -> Json:
    before: dict[str, Any] = dict(invoice)
    due = invoice["amount_due"]
    invoice |= {"status": "paid", "amount_paid": due, "amount_remaining": 0, "attempted": True, "auto_advance": False}
    invoice["status_transitions"] = invoice["status_transitions"] | {"paid_at": tx.now}
    await tx.save(invoice)
    for payment in await tx.every("invoice_payment", {"invoice": invoice["id"], "status": "open"}):
        payment |= {"status": "paid", "amount_paid": due}
        payment["status_transitions"]["paid_at"] = tx.now
        await tx.save(payment)
        await emit(tx, "invoice_payment.paid", payment)
    await emit(tx, "invoice.updated", invoice, changes(before, invoice))
    await emit(tx, "invoice.paid", invoice)
    await emit(tx, "invoice.payment_succeeded", invoice)
    return invoice


async def void(call: Call) -> Json:
    """POST /v1/invoices/{id}/void: an open invoice will not be paid; intent and credit are given back."""
    tx = call.tx
    invoice = await tx.get("invoice", call.id)
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(
            f"You can only pass in open invoices. This invoice isn't open: its status is {invoice['status']}."
        )
    intent, payment = await _default_payment(tx, invoice)
    await payments.cancel(tx, intent, "void_invoice")
    customer = await tx.get("customer", invoice["customer"])
    customer["balance"] += invoice["starting_balance"] - invoice["ending_balance"]
    await tx.save(customer)
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = tx.now
    await tx.save(payment)
    invoice |= {"status": "void", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = tx.now
    await tx.save(invoice)
    await emit(tx, "invoice.voided", invoice)
    return invoice


async def _default_payment(tx: Transaction, invoice: Json) -> tuple[Json, Json]:
    payment = (await tx.every("invoice_payment", {"invoice": invoice["id"], "is_default": True}))[0]
    return await tx.get("payment_intent", payment["payment"]["payment_intent"]), payment
