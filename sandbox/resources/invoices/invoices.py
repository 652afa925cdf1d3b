"""Invoices: drafted, changed, finalized; how they are paid is in `invoice_payment`."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import Json, invalid
from sandbox.events import emit
from sandbox.expansion import as_list
from sandbox.ids import new_id, random_text
from sandbox.metadata import merged
from sandbox.resources.customers.customers import changes
from sandbox.resources.invoices.invoice_object import new_invoice, new_line, new_payment
from sandbox.resources.invoices.paying import paid
from sandbox.resources.invoices.totals import due_after_balance, line_taxes, totals
from sandbox.resources.payments import payment_attempts as payments
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


async def finalize(tx: Transaction, invoice: Json, paid_by: Json | None = None) -> Json:
    """Give a draft its number, take the customer's balance into account, and make the intent that will pay it.

    An invoice with nothing due is paid at once; so is one for a payment that has succeeded (`paid_by`), which the
    customer's balance does not touch.
    """
    if invoice["status"] != "draft":
        raise invalid("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    await _compute(tx, invoice)
    customer = await tx.get("customer", invoice["customer"])
    due, balance_after = due_after_balance(invoice["total"], customer["balance"])
    if paid_by is not None:
        due, balance_after = invoice["total"], customer["balance"]
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
        intent = paid_by or await _intent_for(tx, invoice)
        await tx.save(intent | {"_invoice": invoice["id"]})
        await tx.insert(new_payment(new_id("inpay"), invoice, intent["id"], tx.now))
    await tx.save(invoice)
    await emit(tx, "invoice.finalized", invoice)
    return invoice if due and paid_by is None else await paid(tx, invoice)


async def _intent_for(tx: Transaction, invoice: Json) -> Json:
    return await payments.make_intent(
        tx,
        invoice["amount_due"],
        invoice["currency"],
        customer=invoice["customer"],
        description="Payment for Invoice",
        _invoice=invoice["id"],
    )
