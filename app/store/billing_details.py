"""What workspaces say about whom to bill, and their tax ids; which of that is due at the provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.reads import KeyedRead
from app.db.tables.billing_details import BillingDetailsRow, TaxIdRow
from app.db.tables.payments import BillingAccountRow


class Details(NamedTuple):
    """What is shown of a workspace's billing details; see `BillingDetailsRow`."""

    workspace_id: UUID
    name: str | None
    email: str | None
    line1: str | None
    line2: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None


class ShownTaxId(NamedTuple):
    """A tax id as it is shown; see `TaxIdRow`."""

    workspace_id: UUID
    id: UUID
    kind: str
    value: str
    status: str
    created_at: datetime


DETAILS: Final = KeyedRead[UUID, Details](
    "billing_details",
    f"SELECT {', '.join(Details._fields)} FROM billing_details WHERE workspace_id = ANY ($1::uuid[])",
    Details,
    lambda details: details.workspace_id,
)
"""Billing details by workspace, of those that ever had any."""

TAX_IDS_OF_WORKSPACES: Final = KeyedRead[UUID, ShownTaxId](
    "tax_ids_of_workspaces",
    f"SELECT {', '.join(ShownTaxId._fields)} FROM tax_ids WHERE workspace_id = ANY ($1::uuid[]) AND NOT is_removed",
    ShownTaxId,
    lambda tax_id: tax_id.workspace_id,
)
"""The tax ids of workspaces, in no order: each has a few at most."""


async def find(session: Session, workspace_id: UUID) -> BillingDetailsRow | None:
    """The workspace's billing details, if it ever had any."""
    return await session.get(BillingDetailsRow, workspace_id)


async def lock(session: Session, workspace_id: UUID) -> BillingDetailsRow:
    """The workspace's billing details, made if there are none, locked until the unit ends. The billing account is locked before."""
    empty = {"address_due": False, "exemption": "NONE", "reverse_sent": False, "revision": 0}
    await session.execute(
        insert(BillingDetailsRow)
        .values(workspace_id=workspace_id, changed_at=session.now, **empty)
        .on_conflict_do_nothing(index_elements=["workspace_id"])
    )
    found = select(BillingDetailsRow).where(BillingDetailsRow.workspace_id == workspace_id)
    return (await session.scalars(found.with_for_update().execution_options(populate_existing=True))).one()


async def tax_ids(session: Session, workspace_id: UUID) -> Sequence[TaxIdRow]:
    """The workspace's tax ids, those too that are to be deleted at the provider, the oldest first."""
    found = select(TaxIdRow).where(TaxIdRow.workspace_id == workspace_id)
    ordered = found.order_by(TaxIdRow.created_at, TaxIdRow.id).execution_options(populate_existing=True)
    return (await session.scalars(ordered)).all()


async def tax_id(session: Session, workspace_id: UUID, row_id: UUID) -> TaxIdRow | None:
    """One tax id of the workspace."""
    return await session.get(TaxIdRow, (workspace_id, row_id), populate_existing=True)


async def due(session: Session, *, limit: int) -> Sequence[UUID]:
    """The workspaces whose details are to be compared with the provider's by now, the longest due first."""
    row = BillingAccountRow
    query = select(row.workspace_id).where(
        row.details_due_at <= session.now,
        row.customer_id.is_not(None),
        row.closing_at.is_(None),
        func.coalesce(row.details_claimed_until, session.real_now) <= session.real_now,
    )
    return (await session.scalars(query.order_by(row.details_due_at).limit(limit))).all()


async def country(session: Session, workspace_id: UUID) -> str | None:
    """The country of the workspace's billing address; None where none is known."""
    return await session.scalar(select(BillingDetailsRow.country).where(BillingDetailsRow.workspace_id == workspace_id))
