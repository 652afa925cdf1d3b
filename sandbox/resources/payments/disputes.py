"""Disputes: a cardholder takes a payment back at the bank; won or lost in the end."""

from __future__ import annotations

from sandbox.errors import Json, invalid
from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.resources.payments.refunds import charge_named
from sandbox.store import Transaction

_EVIDENCE_SECONDS = 7 * 86400


async def open_dispute(tx: Transaction, order: Json) -> Json:
    """Dispute a charge named by `charge` or `payment_intent`, over `amount` or all that was not refunded."""
    charge = await charge_named(tx, order)
    left = charge["amount"] - charge["amount_refunded"]
    amount = order.get("amount", left)
    if charge["disputed"]:
        raise invalid(f"Charge {charge['id']} has already been disputed.")
    if not isinstance(amount, int) or not 1 <= amount <= left:
        raise invalid(f"amount must be a whole number from 1 to {left}", param="amount")
    return await _open(tx, charge, amount, str(order.get("reason", "fraudulent")))


async def open_due(tx: Transaction, charge: Json) -> None:
    """Dispute the charge of a test card that does so by itself."""
    charge["_dispute_at"] = None
    await tx.save(charge)
    left = charge["amount"] - charge["amount_refunded"]
    if left and not charge["disputed"]:
        await _open(tx, charge, left, charge["_dispute_reason"])


async def _open(tx: Transaction, charge: Json, amount: int, reason: str) -> Json:
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
            "due_by": tx.now + _EVIDENCE_SECONDS,
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


async def close(tx: Transaction, dispute_id: str, status: str) -> Json:
    """Decide an open dispute: `won` gives the money back, `lost` keeps it with the cardholder."""
    dispute = await tx.get("dispute", dispute_id)
    if status not in ("won", "lost"):
        raise invalid("status must be won or lost", param="status")
    if dispute["status"] in ("won", "lost"):
        raise invalid(f"This dispute is already {dispute['status']}.")
    before = {"status": dispute["status"]}
    dispute["status"] = status
    await tx.save(dispute)
    if status == "won":
        await emit(tx, "charge.dispute.funds_reinstated", dispute)
    await emit(tx, "charge.dispute.updated", dispute, before)
    await emit(tx, "charge.dispute.closed", dispute)
    return dispute
