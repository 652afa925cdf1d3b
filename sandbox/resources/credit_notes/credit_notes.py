"""Credit notes: created, listed. Of an open invoice they lower what is left to pay, of a paid one they give money back."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import invalid_request, missing_param
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json, list_object
from sandbox.resources.credit_notes.credit_note_lines import spread, sums_per_rate
from sandbox.resources.invoices.paying import lower_amount_remaining
from sandbox.resources.payments import refunds
from sandbox.store import Transaction

# where the money of a credit note on a paid invoice goes; together they make its amount
_GIVEN_BACK = ("refund_amount", "credit_amount", "out_of_band_amount")


async def create(call: Call) -> Json:
    """POST /v1/credit_notes, of an `amount`, which is spread over the invoice's lines."""
    tx, params = call.tx, call.params
    invoice = await tx.get("invoice", params["invoice"], "invoice")
    if "amount" not in params:
        raise missing_param("amount")
    amount: int = params["amount"]
    if amount < 1:
        raise invalid_request("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    before = snapshot(invoice)
    note = _new_note(call, invoice, amount)
    if invoice["status"] == "paid":
        await _give_back(tx, invoice, note, params)
    elif invoice["status"] == "open":
        if any(name in params for name in _GIVEN_BACK):
            raise invalid_request("Nothing has been paid that could be given back.", param="refund_amount")
        _refuse_more_than(invoice["amount_remaining"], amount)
        note |= {"type": "pre_payment", "pre_payment_amount": amount}
        invoice["pre_payment_credit_notes_amount"] += amount
    else:
        raise invalid_request("Credit notes are possible for invoices that are open or paid.", param="invoice")
    await tx.insert(note)
    await tx.save(invoice)
    await emit(tx, "credit_note.created", note)
    await emit(tx, "invoice.updated", invoice, previous_attributes(before, invoice))
    if note["type"] == "pre_payment":
        await lower_amount_remaining(tx, invoice, amount)
    return note


def _new_note(call: Call, invoice: Json, amount: int) -> Json:
    lines = spread(amount, invoice) if invoice["lines"]["data"] and invoice["total"] > 0 else []
    tax = sum(tax["amount"] for line in lines for tax in line["taxes"])
    note_id = new_id("cn")
    invoice["_credit_notes"] = invoice.get("_credit_notes", 0) + 1
    return {
        "id": note_id,
        "object": "credit_note",
        "amount": amount,
        "amount_shipping": 0,
        "created": call.tx.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": call.tx.now,
        "invoice": invoice["id"],
        "lines": list_object(lines, f"/v1/credit_notes/{note_id}/lines"),
        "livemode": False,
        "memo": call.params.get("memo"),
        "metadata": merge_metadata({}, call.params.get("metadata")),
        "number": f"{invoice['number']}-CN-{invoice['_credit_notes']:02d}",
        "out_of_band_amount": None,
        "pdf": invoice["invoice_pdf"] or "",
        "post_payment_amount": 0,
        "pre_payment_amount": 0,
        "pretax_credit_amounts": [],
        "reason": call.params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": sum(line["amount"] for line in lines),
        "subtotal_excluding_tax": amount - tax,
        "total": amount,
        "total_excluding_tax": amount - tax,
        "total_taxes": sums_per_rate(lines),
        "type": "post_payment",
        "voided_at": None,
    }


async def _give_back(tx: Transaction, invoice: Json, note: Json, params: Json) -> None:
    """Refund to the card, or credit to the customer's balance, what the parameters say. Raises StripeError unless all is given."""
    amount = note["amount"]
    parts = {name: params.get(name, 0) for name in _GIVEN_BACK}
    if sum(parts.values()) != amount or min(parts.values()) < 0:
        raise invalid_request(
            "The sum of credit amount, refund amount and out of band amount must equal the credit note amount.",
            param="amount",
        )
    _refuse_more_than(invoice["total"] - invoice["post_payment_credit_notes_amount"], amount)
    if parts["refund_amount"]:
        refund = await _refund(tx, invoice, parts["refund_amount"])
        note["refunds"] = [{"amount_refunded": refund["amount"], "refund": refund["id"], "type": "refund"}]
    if parts["credit_amount"]:
        customer = await tx.get("customer", invoice["customer"])
        customer["balance"] -= parts["credit_amount"]
        await tx.save(customer)
        await emit(tx, "customer.updated", customer, {"balance": customer["balance"] + parts["credit_amount"]})
    note |= {"post_payment_amount": amount, "out_of_band_amount": parts["out_of_band_amount"] or None}
    invoice["post_payment_credit_notes_amount"] += amount


async def _refund(tx: Transaction, invoice: Json, amount: int) -> Json:
    paid = await tx.find_all("invoice_payment", {"invoice": invoice["id"], "status": "paid"})
    if not paid:
        raise invalid_request("The invoice was not paid by a charge that could be refunded.", param="refund_amount")
    given = {"payment_intent": paid[0]["payment"]["payment_intent"], "amount": amount}
    return await refunds.create(Call(tx, given, {}, "/v1/refunds"))


def _refuse_more_than(most: int, amount: int) -> None:
    if amount > most:
        raise invalid_request(
            f"The credit note amount ({amount}) is more than what is left of the invoice ({most}).", param="amount"
        )
