"""Ids that clients send: of the type that is wanted, or nothing."""

from __future__ import annotations

from uuid import UUID

from app.errors import NotFound
from app.ids import parse_global_id


def row_id(text: str, type_name: str) -> UUID:
    """The id of a row that belongs to no workspace; raises `NotFound` for any other id."""
    parsed = parse_global_id(text)
    if parsed.type != type_name or not isinstance(parsed.id, UUID) or parsed.workspace_id is not None:
        raise NotFound
    return parsed.id


def owned_id(text: str, type_name: str) -> tuple[UUID, UUID]:
    """The (workspace, id) of something that belongs to a workspace; raises `NotFound` for any other id."""
    parsed = parse_global_id(text)
    if parsed.type != type_name or not isinstance(parsed.id, UUID) or parsed.workspace_id is None:
        raise NotFound
    return parsed.workspace_id, parsed.id


def owned_code(text: str, type_name: str) -> tuple[UUID, str]:
    """The (workspace, code of the catalog) of something that each workspace has one of; raises `NotFound` for any other id."""
    parsed = parse_global_id(text)
    if parsed.type != type_name or not isinstance(parsed.id, str) or parsed.workspace_id is None:
        raise NotFound
    return parsed.workspace_id, parsed.id


def workspace_id(text: str) -> UUID:
    """The id of a workspace; raises `NotFound` for any other id."""
    return row_id(text, "Workspace")
