"""The next bill of a workspace, as if the provider had told it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.subscriptions import UpcomingInvoiceRow
from app.ids import uuid7
from app.store import upcoming_invoices as upcoming_invoice_store


async def tell_next_bill(
    session: Session,
    workspace_id: UUID,
    *,
    version: int,
    recurring_total_minor: int | None,
    invoice: dict[str, Any] | None = None,
    tried_at: datetime | None = None,
) -> None:
    """Keep a next bill for a version of the subscription; `tried_at` (a year from now) is when it was asked for last."""
    claim_id = uuid7()
    claimed = {
        "tried_version": version,
        "tried_at": tried_at or session.now + timedelta(days=366),
        "claim_id": claim_id,
    }
    put = insert(UpcomingInvoiceRow).values(workspace_id=workspace_id, **claimed)
    await session.execute(put.on_conflict_do_update(index_elements=["workspace_id"], set_=claimed))
    await upcoming_invoice_store.keep(
        session,
        workspace_id,
        claim_id,
        version=version,
        invoice=invoice,
        recurring_total_minor=recurring_total_minor,
    )


def next_bill(at: datetime, **amounts: int) -> dict[str, Any]:
    """A next bill without lines, as it is kept; amounts that are not given are 0."""
    names = ("subtotal_minor", "tax_minor", "total_minor", "credit_applied_minor", "due_minor")
    return {"at": at.isoformat(), "currency": "EUR", "lines": [], **dict.fromkeys(names, 0), **amounts}
