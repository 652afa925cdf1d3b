"""Invoices: created as drafts, changed, deleted, finalized, paid, voided."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import invalid_request, missing_param
from sandbox.events import emit, previous_attributes
from sandbox.objects import Json
from sandbox.resources.invoices.drafts import compute_draft, create_draft, set_advance_time, set_fields
from sandbox.resources.invoices.finalization import finalize_invoice
from sandbox.resources.invoices.paying import default_payment, mark_paid, pay_invoice
from sandbox.resources.invoices.voiding import void_invoice
from sandbox.resources.payments.payment_attempts import cancel_payment

_UPDATABLE_AFTER_FINALIZATION = {"metadata", "auto_advance", "description", "expand", "default_payment_method"}


async def create(call: Call) -> Json:
    """POST /v1/invoices: a draft; with the customer's pending items if the parameters say so."""
    if "customer" not in call.params:
        raise missing_param("customer")
    return await create_draft(call.tx, call.params)


async def update(call: Call) -> Json:
    """POST /v1/invoices/{id}; after finalization only some fields can be changed."""
    invoice = await call.tx.get("invoice", call.id)
    draft = invoice["status"] == "draft"
    if not draft and (refused := call.params.keys() - _UPDATABLE_AFTER_FINALIZATION):
        raise invalid_request(
            f"Finalized invoices can't be updated in this way: {', '.join(sorted(refused))}",
            code="invoice_not_editable",
        )
    before = dict(invoice)
    await set_fields(call.tx, invoice, call.params)
    if draft:
        set_advance_time(invoice, call.tx.now)
        await compute_draft(call.tx, invoice)
    await call.tx.save(invoice)
    await emit(call.tx, "invoice.updated", invoice, previous_attributes(before, invoice))
    return invoice


async def delete(call: Call) -> Json:
    """DELETE /v1/invoices/{id}: a draft and its items."""
    invoice = await call.tx.get("invoice", call.id)
    if invoice["status"] != "draft":
        raise invalid_request(
            "You can only delete draft invoices. Void a finalized invoice.", code="invoice_not_editable"
        )
    for item in await call.tx.find_all("invoiceitem", {"invoice": invoice["id"]}):
        await call.tx.delete(item)
    await emit(call.tx, "invoice.deleted", invoice)
    return await call.tx.delete(invoice)


async def list_lines(call: Call) -> Json:
    """GET /v1/invoices/{id}/lines."""
    invoice = await call.tx.get("invoice", call.id)
    return invoice["lines"]


async def finalize(call: Call) -> Json:
    """POST /v1/invoices/{id}/finalize."""
    invoice = await call.tx.get("invoice", call.id)
    if "auto_advance" in call.params:
        invoice["auto_advance"] = call.params["auto_advance"]
    return await finalize_invoice(call.tx, invoice)


async def pay(call: Call) -> Json:
    """POST /v1/invoices/{id}/pay. Raises a card error if the card is not charged or requires authentication."""
    tx, params = call.tx, call.params
    invoice = await tx.get("invoice", call.id)
    if invoice["status"] == "paid":
        raise invalid_request("Invoice is already paid")
    if invoice["status"] != "open":
        raise invalid_request(f"Invoices with a status of {invoice['status']} can't be paid; finalize a draft first.")
    if params.get("paid_out_of_band"):
        intent, _ = await default_payment(tx, invoice)
        await cancel_payment(tx, intent, None)
        return await mark_paid(tx, invoice)
    error = await pay_invoice(tx, invoice, params.get("payment_method"), off_session=params.get("off_session", True))
    if error is not None:
        raise error
    return await tx.get("invoice", invoice["id"])


async def void(call: Call) -> Json:
    """POST /v1/invoices/{id}/void."""
    return await void_invoice(call.tx, await call.tx.get("invoice", call.id))
