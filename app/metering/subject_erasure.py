"""Erasing a subject: its name is nowhere any more, and what is kept for sums and for the books has a bare id."""

from __future__ import annotations

from datetime import UTC
from typing import NamedTuple
from uuid import UUID

from app.accounts.access import audit_log
from app.billing.allowances.plan_changes import running_period
from app.db.engine import Session
from app.store import usage_states as usage_state_store
from app.store import usage_subjects as usage_subject_store


class ErasedSubject(NamedTuple):
    """What was erased of a subject: in how many periods of counters it was told apart, in which gauges it had a level, and how many
    amounts that are yet to be paid are no longer said to be its own.
    """

    counted: int
    gauges: tuple[str, ...]
    dues: int


async def erase_subject(session: Session, workspace_id: UUID, name: str) -> ErasedSubject | None:
    """Erase a subject of a workspace, by its checked name; None where there is none. An operator does it, says the audit log.

    What was counted stays counted, as nobody's. Levels of gauges are a subject's own: the gauges fall by them. Spends keep the id,
    which tells nothing. A subject that is named again later is a new one.
    """
    # before the usage itself is locked: who counts it looks up subjects first
    await usage_subject_store.keep_from_use(session)
    subject_id = await usage_subject_store.remove(session, workspace_id, name)
    if subject_id is None:
        return None
    state = await usage_state_store.lock(session, workspace_id)
    counted = await usage_subject_store.remove_counted(session, workspace_id, subject_id)
    levels = await usage_subject_store.remove_levels(session, workspace_id, subject_id)
    if levels:
        start, today = (await running_period(session, workspace_id)).start, session.now.astimezone(UTC).date()
        await usage_subject_store.set_levels_of_day(session, workspace_id, start, today, levels)
    dues = await usage_subject_store.unname_dues(session, workspace_id, subject_id)
    usage_state_store.changed(session, state)
    await audit_log.record(
        session, workspace_id, audit_log.OPERATOR, "usage.subject_erased", "An operator erased a subject of the usage."
    )
    return ErasedSubject(counted, tuple(sorted(levels)), dues)
