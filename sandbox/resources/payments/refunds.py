"""Refunds of charges, in full or in part."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.currencies import check_amount, money
from sandbox.errors import invalid_request
from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.payment_methods.payment_method_object import card_of
from sandbox.resources.payments.charges import get_paid_charge
from sandbox.store import Transaction

# how long the bank of a test card takes to complete a refund, or to return it
BANK_SECONDS = 60


async def create(call: Call) -> Json:
    """POST /v1/refunds: of a charge or a payment intent; without an amount, all that is not refunded yet."""
    tx, params = call.tx, call.params
    charge = await get_paid_charge(tx, params)
    remaining = charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount", remaining)
    if charge["disputed"]:
        raise invalid_request(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if remaining == 0:
        raise invalid_request(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount < 1:
        raise invalid_request("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > remaining:
        raise invalid_request(
            f"Refund amount ({money(amount, charge['currency'])}) is greater than unrefunded amount on charge"
            f" ({money(remaining, charge['currency'])})",
            param="amount",
        )
    check_amount(amount, charge["currency"], "amount")
    card = card_of(await tx.get("payment_method", charge["payment_method"]))
    status, later_status = card.refund_statuses or ("succeeded", None)
    refund: Json = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": tx.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"type": "card", "card": {"type": "refund", "reference_status": "pending"}},
        "metadata": merge_metadata({}, params.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
        "_outcome": later_status,
        "_outcome_at": tx.now + BANK_SECONDS if later_status else None,
    }
    await tx.insert(refund)
    before = {name: charge[name] for name in ("amount_refunded", "refunded")}
    charge |= {"amount_refunded": charge["amount_refunded"] + amount, "refunded": amount == remaining}
    await tx.save(charge)
    await emit(tx, "refund.created", refund)
    await emit(tx, "charge.refunded", charge, before)
    return refund


async def update(call: Call) -> Json:
    """POST /v1/refunds/{id}: metadata."""
    refund = await call.tx.get("refund", call.id)
    before = {"metadata": refund["metadata"]}
    refund["metadata"] = merge_metadata(refund["metadata"], call.params.get("metadata"))
    await call.tx.save(refund)
    await emit(call.tx, "refund.updated", refund, before)
    return refund


async def complete_refund(tx: Transaction, refund: Json) -> None:
    """Give a refund the status that its test card has for it: the bank has taken the money, or returned it."""
    before = {"status": refund["status"]}
    refund |= {"status": refund["_outcome"], "_outcome_at": None}
    if refund["status"] == "failed":
        refund["failure_reason"] = "expired_or_canceled_card"
        charge = await tx.get("charge", refund["charge"])
        charge |= {"amount_refunded": charge["amount_refunded"] - refund["amount"], "refunded": False}
        await tx.save(charge)
    await tx.save(refund)
    if refund["status"] == "failed":
        await emit(tx, "refund.failed", refund)
    await emit(tx, "refund.updated", refund, before)
    await emit(tx, "charge.refund.updated", refund, before)
