"""Disputes: a cardholder asks the bank to take a payment back; the bank decides it as won or lost."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import invalid_request
from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.resources.payments.charges import get_paid_charge
from sandbox.store import Transaction

EVIDENCE_SECONDS = 7 * 86400

_DECIDED = ("won", "lost")


async def close(call: Call) -> Json:
    """POST /v1/disputes/{id}/close: the merchant gives the dispute up, which loses it."""
    return await close_dispute(call.tx, call.id, "lost")


async def open_dispute(tx: Transaction, params: Json) -> Json:
    """Dispute the charge of `charge` or `payment_intent`, over `amount` or all that was not refunded."""
    charge = await get_paid_charge(tx, params)
    remaining = charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount", remaining)
    if charge["disputed"]:
        raise invalid_request(f"Charge {charge['id']} has already been disputed.")
    if not isinstance(amount, int) or not 1 <= amount <= remaining:
        raise invalid_request(f"amount must be a whole number from 1 to {remaining}", param="amount")
    return await _create_dispute(tx, charge, amount, str(params.get("reason", "fraudulent")))


async def open_automatic_dispute(tx: Transaction, charge: Json) -> None:
    """Dispute the charge of a test card whose charges are always disputed."""
    charge["_dispute_at"] = None
    await tx.save(charge)
    remaining = charge["amount"] - charge["amount_refunded"]
    if remaining and not charge["disputed"]:
        await _create_dispute(tx, charge, remaining, charge["_dispute_reason"])


async def close_dispute(tx: Transaction, dispute_id: str, status: str) -> Json:
    """Decide an open dispute: `won` returns the money to the merchant, `lost` leaves it with the cardholder."""
    dispute = await tx.get("dispute", dispute_id)
    if status not in _DECIDED:
        raise invalid_request("status must be won or lost", param="status")
    if dispute["status"] in _DECIDED:
        raise invalid_request(f"This dispute is already {dispute['status']}.")
    before = {"status": dispute["status"]}
    dispute["status"] = status
    await tx.save(dispute)
    if status == "won":
        await emit(tx, "charge.dispute.funds_reinstated", dispute)
    await emit(tx, "charge.dispute.updated", dispute, before)
    await emit(tx, "charge.dispute.closed", dispute)
    return dispute


async def _create_dispute(tx: Transaction, charge: Json, amount: int, reason: str) -> Json:
    dispute: Json = {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": tx.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": tx.now + EVIDENCE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": None,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": "chargeback",
                "network_reason_code": "10.4",
            },
        },
        "reason": reason,
        "status": "needs_response",
    }
    await tx.insert(dispute)
    charge["disputed"] = True
    await tx.save(charge)
    await emit(tx, "charge.dispute.created", dispute)
    await emit(tx, "charge.dispute.funds_withdrawn", dispute)
    return dispute
