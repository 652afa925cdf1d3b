"""Finalizing an invoice: it gets its number, its amount due, and the payment intent that will pay it."""

from __future__ import annotations

from sandbox.currencies import check_amount, minimum_charge
from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit
from sandbox.ids import new_id, random_text
from sandbox.objects import Json
from sandbox.resources.invoices.drafts import AUTO_ADVANCE_SECONDS, compute_draft
from sandbox.resources.invoices.invoice_object import new_invoice_payment, subscription_of
from sandbox.resources.invoices.paying import mark_paid
from sandbox.resources.invoices.totals import apply_balance
from sandbox.resources.payments.payment_intent_object import create_payment_intent
from sandbox.store import Transaction

_SECRET_LENGTH = 32


async def finalize_invoice(tx: Transaction, invoice: Json, paid_by: Json | None = None) -> Json:
    """Finalize a draft. Raises StripeError for one that is no draft or can't be charged, or whose customer was deleted.

    An invoice with nothing due is paid at once. So is one for which a payment intent has already succeeded (`paid_by`);
    then the customer's balance is not applied.
    """
    if invoice["status"] != "draft":
        raise invalid_request("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    await compute_draft(tx, invoice)
    customer = await tx.get("customer", invoice["customer"], "customer")
    due, balance_after = apply_balance(invoice["total"], customer["balance"], minimum_charge(invoice["currency"]))
    if paid_by is not None:
        due, balance_after = invoice["total"], customer["balance"]
    check_amount(due, invoice["currency"], "amount")
    invoice |= {
        "status": "open",
        "number": f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}",
        "amount_due": due,
        "amount_remaining": due,
        "starting_balance": customer["balance"],
        "ending_balance": balance_after,
        "effective_at": tx.now,
        "automatically_finalizes_at": None,
        "_secret": random_text(_SECRET_LENGTH),
    }
    invoice["status_transitions"]["finalized_at"] = tx.now
    invoice["hosted_invoice_url"] = f"{tx.base_url}/invoices/{invoice['id']}/{invoice['_secret']}"
    invoice["invoice_pdf"] = f"{invoice['hosted_invoice_url']}/pdf"
    if invoice["auto_advance"] and due:
        # of a subscription it is charged at once
        invoice["next_payment_attempt"] = tx.now + (AUTO_ADVANCE_SECONDS if subscription_of(invoice) is None else 0)
    customer["next_invoice_sequence"] += 1
    customer |= {"balance": balance_after, "currency": invoice["currency"]}
    await tx.save(customer)
    await tx.save(invoice)
    await emit(tx, "invoice.finalized", invoice)
    if due:
        intent = paid_by or await _create_payment_intent(tx, invoice)
        await tx.save(intent | {"_invoice": invoice["id"]})
        await tx.insert(new_invoice_payment(new_id("inpay"), invoice, intent["id"], tx.now))
    return invoice if due and paid_by is None else await mark_paid(tx, invoice)


async def finalize_automatically(tx: Transaction, invoice: Json) -> None:
    """Finalize a draft with `auto_advance` whose time has come; one that can't be finalized stays a draft and says why."""
    try:
        await finalize_invoice(tx, invoice)
    except StripeError as error:
        invoice |= {"automatically_finalizes_at": None, "last_finalization_error": error.error}
        await tx.save(invoice)
        await emit(tx, "invoice.finalization_failed", invoice)


async def _create_payment_intent(tx: Transaction, invoice: Json) -> Json:
    return await create_payment_intent(
        tx,
        invoice["amount_due"],
        invoice["currency"],
        customer=invoice["customer"],
        description="Payment for Invoice",
        setup_future_usage="off_session" if subscription_of(invoice) is not None else None,
        _invoice=invoice["id"],
    )
