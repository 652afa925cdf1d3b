"""The states of workspaces' usage: the lock of all of it, and the version of what is shown.

row = await lock(session, workspace_id)   # after the billing account and the subscription, before the ledger's balance
...                                       # whatever changes counters, gauges, periods or limits
changed(session, row)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.outbox import Hint
from app.db.tables.usage import UsageStateRow

TOPIC: Final = "usage"
"""What screens that show usage listen to."""

_ANY_VERSION: Final = 2**53 - 1


async def lock(session: Session, workspace_id: UUID) -> UsageStateRow:
    """A workspace's state, made where there is none yet, locked until the unit ends.

    Of several workspaces the lowest id is locked first, as `lock_all` does.
    """
    return (await lock_all(session, [workspace_id]))[workspace_id]


async def lock_all(session: Session, workspace_ids: Collection[UUID]) -> Mapping[UUID, UsageStateRow]:
    """The states of these workspaces, made where there are none yet, locked in the order of their ids."""
    if not workspace_ids:
        return {}
    made = [{"workspace_id": each, "version": 0} for each in sorted(workspace_ids)]
    # before any is locked, so that nobody holds a later one while they wait here
    await session.execute(insert(UsageStateRow).values(made).on_conflict_do_nothing(index_elements=["workspace_id"]))
    query = select(UsageStateRow).where(UsageStateRow.workspace_id.in_(workspace_ids))
    query = query.order_by(UsageStateRow.workspace_id).with_for_update()
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {row.workspace_id: row for row in rows}


def hint(workspace_id: UUID) -> Hint:
    """What tells open screens that a workspace's usage has changed.

    What they are shown has a version of its own, which counts the periods too; so the hint names none, and it is read again.
    """
    return Hint(TOPIC, workspace_id, workspace_id, _ANY_VERSION)


def changed(session: Session, row: UsageStateRow) -> None:
    """Raise the version of what is shown of a locked state, and tell it to open screens once this unit is committed."""
    row.version += 1
    session.outbox.hints.append(hint(row.workspace_id))


async def turning(session: Session, *, limit: int) -> Sequence[UUID]:
    """The workspaces whose period has ended by now, and whose screens were not told yet, the longest ended first."""
    query = select(UsageStateRow.workspace_id).where(UsageStateRow.turns_at <= session.now)
    return (await session.scalars(query.order_by(UsageStateRow.turns_at).limit(limit))).all()


async def next_turn_at(session: Session) -> datetime | None:
    """When the next period ends; None where nothing was ever used."""
    return await session.scalar(select(func.min(UsageStateRow.turns_at)))


async def lock_turning(session: Session, workspace_ids: Collection[UUID]) -> Mapping[UUID, UsageStateRow]:
    """Those of these states whose period has ended by now, locked in the order of their ids."""
    query = select(UsageStateRow).where(
        UsageStateRow.workspace_id.in_(workspace_ids), UsageStateRow.turns_at <= session.now
    )
    query = query.order_by(UsageStateRow.workspace_id).with_for_update()
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {row.workspace_id: row for row in rows}
