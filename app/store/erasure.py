"""The SQL of erasing a person or a workspace: the tables that declare it, the development inbox, and queued mails."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Table, bindparam, delete, func, or_, select, text, update

from app.db.engine import Session
from app.db.tables import Base
from app.db.tables.access import AuditEventRow
from app.db.tables.base import Erased
from app.db.tables.development_inbox import InboxMessageRow
from app.db.tables.people import EmailRow, UserRow
from app.db.tables.purchases import CreditPurchaseRow
from app.db.tables.workspaces import PhoneCheckRow, PhoneRow

_QUEUED = text("SELECT id, entrypoint, payload FROM pgqueuer WHERE entrypoint IN :tasks").bindparams(
    bindparam("tasks", expanding=True)
)
_DROP = text("DELETE FROM pgqueuer WHERE id = ANY(CAST(:ids AS bigint[]))")


async def erase_rows(
    session: Session, *, user_id: UUID | None, workspace_ids: Collection[UUID], addresses: Collection[str]
) -> None:
    """Delete what the tables declare to go with this user, these workspaces and these addresses (in lower case)."""
    declared = {mapper.local_table: mapper.class_.erasure for mapper in Base.registry.mappers}
    # what refers to others goes before them
    for table in reversed(Base.metadata.sorted_tables):
        match declared[table]:
            case Erased() as erased:
                belongs = _belongs(table, erased, user_id, workspace_ids, addresses)
                if belongs:
                    await session.execute(delete(table).where(or_(*belongs)))
            case _:
                pass


def _belongs(
    table: Table, erased: Erased, user_id: UUID | None, workspace_ids: Collection[UUID], addresses: Collection[str]
) -> list[ColumnElement[bool]]:
    belongs: list[ColumnElement[bool]] = []
    if erased.person is not None and user_id is not None:
        belongs.append(table.c[erased.person] == user_id)
    if erased.workspace is not None and workspace_ids:
        belongs.append(table.c[erased.workspace].in_(workspace_ids))
    if erased.address is not None and addresses:
        belongs.append(func.lower(table.c[erased.address]).in_(addresses))
    return belongs


async def lock_user(session: Session, user_id: UUID) -> UserRow | None:
    """The user, locked against everything until the transaction ends."""
    query = select(UserRow).where(UserRow.id == user_id).with_for_update()
    return await session.scalar(query.execution_options(populate_existing=True))


async def addresses_of(session: Session, user_id: UUID, *, verified: bool) -> Sequence[str]:
    """The user's addresses in lower case: those that are proven to be theirs, or all of them."""
    query = select(EmailRow.address_key).where(EmailRow.user_id == user_id)
    return (await session.scalars(query.where(EmailRow.verified_at.is_not(None)) if verified else query)).all()


async def phone_hashes(session: Session, workspace_ids: Collection[UUID]) -> set[bytes]:
    """The hashes of the numbers that these workspaces verified, or were sent codes for."""
    verified = select(PhoneRow.number_hash).where(PhoneRow.workspace_id.in_(workspace_ids))
    begun = select(PhoneCheckRow.number_hash).where(PhoneCheckRow.workspace_id.in_(workspace_ids))
    return {*await session.scalars(verified), *await session.scalars(begun)}


async def texted_numbers(session: Session) -> Sequence[str]:
    """The numbers that the development inbox has text messages to."""
    query = select(InboxMessageRow.recipient).where(InboxMessageRow.channel == "sms").distinct()
    return (await session.scalars(query)).all()


async def clear_inbox(session: Session, recipients: Collection[str]) -> None:
    """Delete what the development inbox has for these addresses (in lower case) and numbers."""
    await session.execute(delete(InboxMessageRow).where(func.lower(InboxMessageRow.recipient).in_(recipients)))


async def clear_inbox_about(session: Session, addresses: Collection[str]) -> None:
    """Delete the mails in the development inbox that name one of these addresses (in lower case), whoever they are to."""
    for address in addresses:
        named = InboxMessageRow.channel == "email", func.strpos(func.lower(InboxMessageRow.text), address) > 0
        await session.execute(delete(InboxMessageRow).where(*named).execution_options(synchronize_session=False))


async def blank_audit(session: Session, workspace_ids: Collection[UUID]) -> None:
    """Blank the details of these workspaces' audit events, which may hold names; who did what and when stays."""
    await session.execute(
        update(AuditEventRow)
        .where(AuditEventRow.workspace_id.in_(workspace_ids), AuditEventRow.detail.is_not(None))
        .values(detail=None)
        .execution_options(synchronize_session=False)
    )


async def blank_purchase_keys(session: Session, workspace_ids: Collection[UUID]) -> None:
    """Blank the idempotency keys of purchases, which clients wrote; nobody can replay these purchases any more."""
    await session.execute(
        update(CreditPurchaseRow)
        .where(CreditPurchaseRow.workspace_id.in_(workspace_ids), CreditPurchaseRow.idempotency_key.is_not(None))
        .values(idempotency_key=None)
        .execution_options(synchronize_session=False)
    )


async def queued(session: Session, tasks: Collection[str]) -> Sequence[tuple[int, str, Mapping[str, str]]]:
    """The jobs with these names that wait, run or have failed: id, name and arguments."""
    rows = await session.execute(_QUEUED, {"tasks": list(tasks)})
    return [(row.id, row.entrypoint, orjson.loads(row.payload or b"{}")) for row in rows]


async def drop_jobs(session: Session, job_ids: Collection[int]) -> None:
    """Take jobs out of the queue."""
    await session.execute(_DROP, {"ids": list(job_ids)})
