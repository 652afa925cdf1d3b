"""That bars passed a level, which owners are told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.usage import UsageCounterRow, UsageWarningRow


async def untold(session: Session, workspace_id: UUID) -> Sequence[UsageWarningRow]:
    """What the owners of a workspace were not told yet; its usage is locked."""
    query = select(UsageWarningRow).where(
        UsageWarningRow.workspace_id == workspace_id, UsageWarningRow.told_at.is_(None)
    )
    query = query.order_by(UsageWarningRow.period_start, UsageWarningRow.resource, UsageWarningRow.level)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def workspaces_to_tell(session: Session, *, limit: int) -> Sequence[UUID]:
    """The workspaces whose owners are to be told something, those that wait longest first."""
    query = select(UsageWarningRow.workspace_id).where(UsageWarningRow.told_at.is_(None))
    oldest = func.min(UsageWarningRow.created_at)
    return (await session.scalars(query.group_by(UsageWarningRow.workspace_id).order_by(oldest).limit(limit))).all()


async def oldest_untold_at(session: Session) -> datetime | None:
    """Since when somebody is to be told something; None where nobody is."""
    return await session.scalar(select(func.min(UsageWarningRow.created_at)).where(UsageWarningRow.told_at.is_(None)))


async def put(session: Session, counter: UsageCounterRow, levels: Sequence[int]) -> None:
    """Note which of these levels, in percent of its limit, a counter has passed; one that was noted before stays as it is."""
    if not counter.allowance:
        return
    key = {"workspace_id": counter.workspace_id, "period_start": counter.period_start, "resource": counter.resource}
    passed = [level for level in levels if counter.used * 100 >= counter.allowance * level]
    if passed:
        rows = [{**key, "level": level, "created_at": session.now} for level in passed]
        await session.execute(insert(UsageWarningRow).values(rows).on_conflict_do_nothing())
