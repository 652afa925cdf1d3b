"""People as others see them."""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

from app.db.reads import KeyedRead


class Fellow(NamedTuple):
    """That a user and another one belong to a workspace together."""

    user_id: UUID
    other_id: UUID


class UserOfHandle(NamedTuple):
    """Who goes by a handle, which is in lower case."""

    handle: str
    user_id: UUID


FELLOWS: Final = KeyedRead[tuple[UUID, UUID], Fellow](
    "fellow_members",
    "SELECT k.user_id, k.other_id FROM unnest($1::uuid[], $2::uuid[]) k (user_id, other_id) WHERE EXISTS ("
    "SELECT FROM memberships one JOIN memberships other ON other.workspace_id = one.workspace_id"
    " WHERE one.user_id = k.user_id AND other.user_id = k.other_id)",
    Fellow,
    lambda fellow: (fellow.user_id, fellow.other_id),
)
"""Those of the (user, other user) who belong to a workspace together."""

BY_HANDLE: Final = KeyedRead[str, UserOfHandle](
    "user_of_handle",
    "SELECT h.key, w.created_by FROM handles h JOIN workspaces w ON w.id = h.workspace_id AND w.kind = 'PERSONAL'"
    " WHERE h.key = ANY ($1::text[])",
    UserOfHandle,
    lambda found: found.handle,
)
"""The users who go by handles, given in lower case."""
