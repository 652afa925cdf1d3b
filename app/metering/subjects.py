"""Subjects: who or what uses something in a workspace, such as a member, an agent or a project, by the host product's own id.

Ledger and counters get an id of ours, which says nothing once the subject is erased.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from app.accounts.security.text_input import one_line
from app.db.engine import Session
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

    Workspaces that are gone are left out. Who keeps an id in a table of usage locks the workspace's usage first: then the subject
    can't be erased in between.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    found = {(each.workspace_id, each.name): each.id for each in await usage_subject_store.named(session, wanted)}
    if new := [
        Subject(workspace_id, uuid7(), name) for workspace_id, name in wanted if (workspace_id, name) not in found
    ]:
        added = await usage_subject_store.add(session, new)
        found.update(((each.workspace_id, each.name), each.id) for each in added)
    return found
