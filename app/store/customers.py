"""What the provider's customers carry: when it is to be written again, whose addresses they have, and customers that are gone.

Whoever changes a workspace's name, who its owners are, or an owner's primary address marks the customer as due in the same
transaction. Times are the wall's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.payments import BillingAccountRow, FormerCustomerRow
from app.db.tables.people import EmailRow
from app.db.tables.workspaces import MembershipRow

_UNPROCESSED: Final = {"synchronize_session": False}


async def mark_due(session: Session, workspace_ids: Collection[UUID], *, after: timedelta = timedelta(0)) -> None:
    """Let the customers of these workspaces be brought up to date: what they carry has changed here, or may have.

    The worker does so `after` some time: a caller that is about to write them itself gives itself that long.
    """
    has_customer = BillingAccountRow.workspace_id.in_(workspace_ids) & BillingAccountRow.customer_id.is_not(None)
    # locked in one order, since two transactions may mark the same ones
    locked = select(BillingAccountRow.workspace_id).where(has_customer).order_by(BillingAccountRow.workspace_id)
    found = (await session.scalars(locked.with_for_update())).all()
    if found:
        due = update(BillingAccountRow).where(BillingAccountRow.workspace_id.in_(found))
        await session.execute(due.values(customer_due_at=session.real_now + after).execution_options(**_UNPROCESSED))


async def mark_due_of_owner(session: Session, user_id: UUID) -> None:
    """`mark_due` for every workspace that the user is an owner of."""
    owned = select(MembershipRow.workspace_id).where(MembershipRow.user_id == user_id, MembershipRow.role == "OWNER")
    await mark_due(session, (await session.scalars(owned)).all())


async def due(session: Session, *, limit: int) -> Sequence[UUID]:
    """The workspaces whose customer is to be brought up to date by now, the longest due first.

    One of which nothing is known is due too: the last version's code made it. Those that are being deleted are left out.
    """
    row = BillingAccountRow
    query = select(row.workspace_id).where(
        row.customer_id.is_not(None),
        or_(row.customer_due_at.is_not(None), row.customer_digest.is_(None)),
        func.coalesce(row.customer_due_at, session.real_now) <= session.real_now,
        row.closing_at.is_(None),
    )
    return (await session.scalars(query.order_by(row.customer_due_at).limit(limit))).all()


async def owner_to_bill(session: Session, workspace_id: UUID) -> tuple[UUID, str] | None:
    """The id and primary address of the longest-standing owner with a verified one; None when no owner has one."""
    owners = await owners_to_tell(session, workspace_id)
    return owners[0] if owners else None


async def owners_to_tell(session: Session, workspace_id: UUID) -> Sequence[tuple[UUID, str]]:
    """The ids and primary addresses of the owners who have a verified one, the longest-standing first."""
    found = (
        select(EmailRow.user_id, EmailRow.address)
        .join(MembershipRow, MembershipRow.user_id == EmailRow.user_id)
        .where(
            MembershipRow.workspace_id == workspace_id,
            MembershipRow.role == "OWNER",
            EmailRow.is_primary,
            EmailRow.verified_at.is_not(None),
        )
        .order_by(MembershipRow.joined_at, MembershipRow.user_id)
    )
    return [(user_id, address) for user_id, address in await session.execute(found)]


async def naming(session: Session, user_id: UUID, *, except_for: Collection[UUID]) -> Sequence[UUID]:
    """The workspaces whose customer has the user's address, or may have it, `except_for` some."""
    query = select(BillingAccountRow.workspace_id).where(
        BillingAccountRow.customer_id.is_not(None),
        BillingAccountRow.customer_owner_ids.any_() == user_id,
        BillingAccountRow.workspace_id.not_in(except_for),
    )
    return (await session.scalars(query.order_by(BillingAccountRow.workspace_id))).all()


async def forget_details(session: Session, workspace_ids: Collection[UUID]) -> None:
    """Forget what the customers of these workspaces carried, since they are deleted with them; the ids stay."""
    forgotten = update(BillingAccountRow).where(BillingAccountRow.workspace_id.in_(workspace_ids))
    unknown = forgotten.values(
        customer_digest=None,
        customer_owner_ids=[],
        customer_due_at=None,
        customer_claimed_until=None,
        details_due_at=None,
        details_claimed_until=None,
    )
    await session.execute(unknown.execution_options(**_UNPROCESSED))


async def add_former(session: Session, workspace_id: UUID, customer_id: str) -> None:
    """Remember whose customer this was."""
    values = {"customer_id": customer_id, "workspace_id": workspace_id, "forgotten_at": session.real_now}
    await session.execute(insert(FormerCustomerRow).values(values).on_conflict_do_nothing())


async def all_of(session: Session, workspace_id: UUID) -> Sequence[str]:
    """The workspace's customers, the present one first, then those that were deleted at the provider."""
    present = select(BillingAccountRow.customer_id).where(BillingAccountRow.workspace_id == workspace_id)
    former = select(FormerCustomerRow.customer_id).where(FormerCustomerRow.workspace_id == workspace_id)
    current = await session.scalar(present)
    gone = (await session.scalars(former.order_by(FormerCustomerRow.forgotten_at.desc()))).all()
    return [*([current] if current is not None else []), *gone]
