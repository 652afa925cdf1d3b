"""Subjects: who or what uses something in a workspace. Their names are in this table alone; everything else has their ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from app.db.engine import Session
from app.db.reads import KeyedRead, all_in


class Subject(NamedTuple):
    """A subject as its row says; `name` is the host product's own id."""

    workspace_id: UUID
    id: UUID
    name: str


_SUBJECT: Final = ", ".join(f"s.{name}" for name in Subject._fields)

SUBJECTS: Final = KeyedRead[tuple[UUID, UUID], Subject](
    "usage_subjects",
    f"SELECT {_SUBJECT} FROM unnest($1::uuid[], $2::uuid[]) k (workspace_id, id)"
    " JOIN usage_subjects s ON s.workspace_id = k.workspace_id AND s.id = k.id",
    Subject,
    lambda subject: (subject.workspace_id, subject.id),
)
"""Subjects by (workspace, id), those that were erased left out."""

NAMED: Final = KeyedRead[tuple[UUID, str], Subject](
    "usage_subjects_by_name",
    f"SELECT {_SUBJECT} FROM unnest($1::uuid[], $2::text[]) k (workspace_id, name)"
    " JOIN usage_subjects s ON s.workspace_id = k.workspace_id AND s.name = k.name",
    Subject,
    lambda subject: (subject.workspace_id, subject.name),
)
"""Subjects by (workspace, name)."""

# The workspace is locked as the foreign key would lock it, so that one deleted meanwhile is left out instead of an error. A name
# that another unit adds at the same time is waited for; writing it again is what makes its row come back.
_ADD = text("""
    INSERT INTO usage_subjects AS s (workspace_id, id, name)
    SELECT k.workspace_id, k.id, k.name
    FROM unnest(CAST(:workspaces AS uuid[]), CAST(:ids AS uuid[]), CAST(:names AS text[])) AS k (workspace_id, id, name)
    JOIN workspaces w ON w.id = k.workspace_id
    ORDER BY k.workspace_id, k.name COLLATE "C"
    FOR KEY SHARE OF w
    ON CONFLICT (workspace_id, name) DO UPDATE SET name = excluded.name
    RETURNING s.workspace_id, s.id, s.name
""")


async def named(session: Session, names: Sequence[tuple[UUID, str]]) -> Sequence[Subject]:
    """The subjects with these names, each as (workspace, name), that there are."""
    return await all_in(session, NAMED, names)


async def add(session: Session, subjects: Sequence[Subject]) -> list[Subject]:
    """Add subjects with new ids, or find those that were added meanwhile with theirs; of a workspace that is gone none.

    They are written in the order of workspace and name, so that units which add the same wait for one another in one order.
    """
    values = {
        "workspaces": [each.workspace_id for each in subjects],
        "ids": [each.id for each in subjects],
        "names": [each.name for each in subjects],
    }
    return [Subject(*row) for row in await session.execute(_ADD, values)]
