"""Subjects: who or what uses something in a workspace, such as a member, an agent or a project, by the host product's own id.

Ledger and counters get an id of ours, which says nothing once the subject is erased.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from app.accounts.security.text_input import one_line
from app.db.engine import Session
from app.db.reads import Reads
from app.ids import uuid7
from app.store import usage_subjects as usage_subject_store
from app.store.usage_subjects import Subject

MOST_SUBJECT_CHARACTERS: Final = 64


def checked_subject(text: str | None, *, path: tuple[str, ...] | None = None) -> str | None:
    """The name of a subject without the blanks around it; None for None.

    Raises `InvalidInput` for one that is empty, too long, or no visible line of text.
    """
    return None if text is None else one_line(text, "A subject", at_most=MOST_SUBJECT_CHARACTERS, path=path)


async def subject_ids(session: Session, names: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    """The ids of subjects by (workspace, checked name), made for those that have none yet, also for those that were erased.

    Workspaces that are gone are left out. None of the subjects is erased before the unit ends, so what is counted for them is
    counted for those who have the names. To be called before any usage is locked.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    await usage_subject_store.keep_in_use(session)
    found = {(each.workspace_id, each.name): each.id for each in await usage_subject_store.named(session, wanted)}
    if new := [
        Subject(workspace_id, uuid7(), name) for workspace_id, name in wanted if (workspace_id, name) not in found
    ]:
        added = await usage_subject_store.add(session, new)
        found.update(((each.workspace_id, each.name), each.id) for each in added)
    return found


async def known_subject(reads: Reads, workspace_id: UUID, text: str | None) -> UUID | None:
    """The id of a subject, named as it was typed; None for one that has none yet, and for what can't be a subject's name."""
    name = (text or "").strip()
    if not 1 <= len(name) <= MOST_SUBJECT_CHARACTERS:
        return None
    found = await reads.one_of(usage_subject_store.NAMED, (workspace_id, name))
    return found.id if found is not None else None


async def subject_name(reads: Reads, workspace_id: UUID, subject_id: UUID | None) -> str | None:
    """What the host product calls a subject; None for none, and for one that was erased."""
    if subject_id is None:
        return None
    found = await reads.one_of(usage_subject_store.SUBJECTS, (workspace_id, subject_id))
    return found.name if found is not None else None
