"""Phone numbers of workspaces, as keyed hashes: what they verified, and the codes on their way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.reads import KeyedRead
from app.db.tables.workspaces import PhoneCheckRow, PhoneRow, PhoneUseRow


class VerifiedPhone(NamedTuple):
    """The number verified for a workspace, as far as it may be shown."""

    workspace_id: UUID
    last_digits: str
    verified_at: datetime


PHONES: Final = KeyedRead[UUID, VerifiedPhone](
    "phones",
    "SELECT workspace_id, last_digits, verified_at FROM phones WHERE workspace_id = ANY ($1::uuid[])",
    VerifiedPhone,
    lambda phone: phone.workspace_id,
)
"""The verified numbers of workspaces, by workspace."""


async def of_workspace(session: Session, workspace_id: UUID) -> PhoneRow | None:
    """The number verified for a workspace."""
    query = select(PhoneRow).where(PhoneRow.workspace_id == workspace_id)
    return await session.scalar(query.execution_options(populate_existing=True))


async def begin_check(session: Session, workspace_id: UUID, number_hash: bytes, *, expires_at: datetime) -> None:
    """A new code is on its way: it may be tried from the start."""
    fresh = insert(PhoneCheckRow).values(
        workspace_id=workspace_id, number_hash=number_hash, tries=0, expires_at=expires_at
    )
    await session.execute(
        fresh.on_conflict_do_update(
            index_elements=[PhoneCheckRow.workspace_id, PhoneCheckRow.number_hash],
            set_={"tries": fresh.excluded.tries, "expires_at": fresh.excluded.expires_at},
        )
    )


async def use_try(
    session: Session, workspace_id: UUID, number_hash: bytes, *, at: datetime, at_most: int
) -> int | None:
    """Count a try and return how many there were; None when there is no code to try at `at`, or it was tried `at_most` times."""
    counted = await session.execute(
        update(PhoneCheckRow)
        .where(
            PhoneCheckRow.workspace_id == workspace_id,
            PhoneCheckRow.number_hash == number_hash,
            PhoneCheckRow.expires_at > at,
            PhoneCheckRow.tries < at_most,
        )
        .values(tries=PhoneCheckRow.tries + 1)
        .returning(PhoneCheckRow.tries)
        .execution_options(synchronize_session=False)
    )
    return counted.scalar_one_or_none()


async def tries_of(session: Session, workspace_id: UUID, number_hash: bytes, *, at: datetime) -> int | None:
    """How often a code that is not too old at `at` was tried; None when there is none."""
    query = select(PhoneCheckRow.tries).where(
        PhoneCheckRow.workspace_id == workspace_id,
        PhoneCheckRow.number_hash == number_hash,
        PhoneCheckRow.expires_at > at,
    )
    return await session.scalar(query)


async def end_check(session: Session, workspace_id: UUID, number_hash: bytes, *, tries: int) -> None:
    """The code did its work: until it would have expired, `tries` says so."""
    await session.execute(
        update(PhoneCheckRow)
        .where(PhoneCheckRow.workspace_id == workspace_id, PhoneCheckRow.number_hash == number_hash)
        .values(tries=tries)
        .execution_options(synchronize_session=False)
    )


async def lock_number(session: Session, number_hash: bytes) -> None:
    """Lock a number: no workspace can be added to those that it verified until the transaction ends."""
    key = int.from_bytes(number_hash[:8], signed=True)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def uses_of(session: Session, hashes: Sequence[bytes]) -> Sequence[PhoneUseRow]:
    """The workspaces that a number ever verified, by any of its hashes."""
    query = select(PhoneUseRow).where(PhoneUseRow.number_hash.in_(hashes))
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def rehash_uses(session: Session, former: Sequence[bytes], number_hash: bytes, *, most: int) -> None:
    """Keep the workspaces that a locked number verified by its present hash, those that are kept by a former one.

    Where servers with other keys have let in more than `most` together, the first ones stay.
    """
    found = await uses_of(session, former) if former else ()
    if not found:
        return
    first: dict[UUID, datetime] = {}
    for use in sorted((*found, *await uses_of(session, [number_hash])), key=lambda use: use.used_at):
        first.setdefault(use.workspace_id, use.used_at)
    gone = delete(PhoneUseRow).where(PhoneUseRow.number_hash.in_([*former, number_hash]))
    await session.execute(gone.execution_options(synchronize_session=False))
    rows = [
        {"number_hash": number_hash, "slot": slot, "workspace_id": workspace_id, "used_at": used_at}
        for slot, (workspace_id, used_at) in enumerate(list(first.items())[:most], 1)
    ]
    await session.execute(insert(PhoneUseRow).values(rows))


async def add_use(session: Session, row: PhoneUseRow) -> None:
    """Add a workspace that a number verified."""
    session.add(row)
    await session.flush()


async def set_phone(
    session: Session, workspace_id: UUID, number_hash: bytes, last_digits: str, verified_at: datetime
) -> None:
    """Keep a workspace's verified number, instead of the one before."""
    fresh = insert(PhoneRow).values(
        workspace_id=workspace_id, number_hash=number_hash, last_digits=last_digits, verified_at=verified_at
    )
    replacing = {column: fresh.excluded[column] for column in ("number_hash", "last_digits", "verified_at")}
    await session.execute(fresh.on_conflict_do_update(index_elements=[PhoneRow.workspace_id], set_=replacing))
