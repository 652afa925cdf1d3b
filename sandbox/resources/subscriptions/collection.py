"""Collecting a subscription's invoice within the request that made it."""

from __future__ import annotations

from sandbox.errors import StripeError
from sandbox.objects import Json
from sandbox.resources.invoices.finalization import finalize_invoice
from sandbox.resources.invoices.paying import pay_invoice
from sandbox.store import Transaction


async def collect(tx: Transaction, draft: Json, *, off_session: bool, attempt: bool = True) -> StripeError | None:
    """Finalize a draft and charge it; return the card error, if any. Without `attempt` it is left open to its holder.

    Raises StripeError if there is no card to charge.
    """
    invoice = await finalize_invoice(tx, draft)
    if invoice["status"] == "paid" or not attempt:
        return None
    return await pay_invoice(tx, invoice, None, off_session=off_session)
