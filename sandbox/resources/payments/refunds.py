"""Refunds of charges, in full or in part."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import Json, invalid
from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.metadata import merged
from sandbox.resources.payment_methods.payment_methods import behaviour
from sandbox.store import Transaction

_BANK_TAKES_SECONDS = 60


async def create(call: Call) -> Json:
    """POST /v1/refunds: of a charge or a payment intent; without an amount, all that is left."""
    tx, params = call.tx, call.params
    charge = await charge_named(tx, params)
    left = charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    if charge["disputed"]:
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount < 1:
        raise invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    answer, outcome = behaviour(await tx.get("payment_method", charge["payment_method"])).refunds or ("succeeded", None)
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
        "metadata": merged({}, params.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": answer,
        "transfer_reversal": None,
        "_outcome": outcome,
        "_outcome_at": tx.now + _BANK_TAKES_SECONDS if outcome else None,
    }
    await tx.insert(refund)
    before = {name: charge[name] for name in ("amount_refunded", "refunded")}
    charge |= {"amount_refunded": charge["amount_refunded"] + amount, "refunded": amount == left}
    await tx.save(charge)
    await emit(tx, "refund.created", refund)
    await emit(tx, "charge.refunded", charge, before)
    return refund


async def end_due(tx: Transaction, refund: Json) -> None:
    """Let a refund of a test card end as that card says: the bank took the money, or returned it."""
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


async def update(call: Call) -> Json:
    """POST /v1/refunds/{id}: metadata."""
    refund = await call.tx.get("refund", call.id)
    before = {"metadata": refund["metadata"]}
    refund["metadata"] = merged(refund["metadata"], call.params.get("metadata"))
    await call.tx.save(refund)
    await emit(call.tx, "refund.updated", refund, before)
    return refund


async def charge_named(tx: Transaction, params: Json) -> Json:
    """Return the successful charge that `charge` or `payment_intent` names. Raises StripeError if there is none."""
    if ("charge" in params) == ("payment_intent" in params):
        raise invalid("You must specify exactly one of charge and payment_intent.", param="charge")
    charge_id = params.get("charge")
    if charge_id is None:
        intent = await tx.get("payment_intent", params["payment_intent"], "payment_intent")
        charge_id = intent["latest_charge"]
    if charge_id is None:
        raise invalid("This PaymentIntent does not have a successful charge.", param="payment_intent")
    charge = await tx.get("charge", charge_id, "charge")
    if not charge["paid"]:
        raise invalid(f"Charge {charge['id']} did not succeed.", param="charge")
    return charge
