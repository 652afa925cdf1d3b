"""Paying invoices."""

from __future__ import annotations

from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import require_authenticated
from app.errors import PaymentDeclined
from app.flows.invoices.pay_invoice import InvoicePaid, PaymentRequest, pay_invoice
from app.ledger.movements import Key
from resolvers import global_ids
from resolvers.billing_access import billing_authorization
from resolvers.context import Context
from resolvers.payment_rate_limits import charge_limits, note_decline


async def pay_open_invoice(context: Context, invoice_id: str, idempotency_key: str) -> InvoicePaid:
    """Charge the default card for an open invoice."""
    require_authenticated(context.caller)
    workspace_id, row_id = global_ids.owned_id(invoice_id, "Invoice")

    authorize = billing_authorization(context, workspace_id)
    async with context.runtime.database.read() as session:
        await authorize(session)
    key = Key.of("payInvoice", idempotency_key)
    request = PaymentRequest(workspace_id, row_id, key.value, actor_of(context.caller))
    paid = await pay_invoice(context.runtime.flow_context, request, authorize, charge_limits(context, workspace_id))
    if isinstance(paid.error, PaymentDeclined) and not paid.is_replay:
        await note_decline(context, workspace_id)
    return paid
