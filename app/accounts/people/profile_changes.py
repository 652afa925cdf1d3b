"""Changing one's own profile: names, company, job title, bio, who may read it, and the User ID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.accounts.access import audit_log
from app.accounts.access.callers import UserCaller
from app.accounts.people.handles import change_handle
from app.accounts.people.users import MOST_NAME_CHARACTERS, Visibility, name_of
from app.accounts.security.secrets import Keys
from app.accounts.security.text_input import optional_line, optional_text
from app.db.engine import Session
from app.db.tables.people import UserRow
from app.db.tables.workspaces import WorkspaceRow
from app.errors import Unauthenticated
from app.store import email_addresses as email_address_store
from app.store import users as user_store
from app.store import workspaces as workspace_store

MOST_LINE_CHARACTERS: Final = 100
MOST_BIO_CHARACTERS: Final = 1_000

# the columns of one line: the name of the field in the API, what messages call it, and its most characters
_LINES: Final = {
    "first_name": ("firstName", "A name", MOST_NAME_CHARACTERS),
    "last_name": ("lastName", "A name", MOST_NAME_CHARACTERS),
    "company": ("company", "A company's name", MOST_LINE_CHARACTERS),
    "job_title": ("jobTitle", "A job title", MOST_LINE_CHARACTERS),
}
_NAMES: Final = frozenset({"first_name", "last_name"})


async def update_profile(session: Session, caller: UserCaller, changes: Mapping[str, str | None]) -> None:
    """Change the fields of the caller's profile that `changes` names; None and blanks clear a field.

    The fields are `first_name`, `last_name`, `company`, `job_title` and `bio`. The personal workspace goes by the new names too,
    unless it was renamed. Raises `InvalidInput` for what is too long or holds control characters; then nothing is changed.
    """
    cleaned = {name: _cleaned(name, text) for name, text in changes.items()}
    user = await _lock(session, caller)
    workspace = await _personal_workspace(session, caller) if cleaned.keys() & _NAMES else None
    before = name_of(user.first_name, user.last_name, workspace.handle) if workspace is not None else None
    for name, text in cleaned.items():
        setattr(user, name, text)
    if workspace is not None and workspace.name == before:
        await _rename(session, caller, workspace, name_of(user.first_name, user.last_name, workspace.handle))


async def set_visibility(session: Session, caller: UserCaller, visibility: Visibility) -> None:
    """Set who may read the caller's profile: everyone, or only fellow members of a workspace."""
    user = await _lock(session, caller)
    user.visibility = visibility


async def change_user_id(session: Session, keys: Keys, caller: UserCaller, handle: str) -> None:
    """Change the caller's User ID. The former one leads nowhere, and nobody else can take it for `HOLD_PERIOD`.

    The personal workspace of a person without names is renamed with it, unless its owner renamed it. Raises `HandleInvalid` and
    `HandleTaken`.
    """
    user = await _lock(session, caller)
    workspace = await _personal_workspace(session, caller)
    before = workspace.handle
    follows = workspace.name == name_of(user.first_name, user.last_name, before)
    if await change_handle(session, keys.abuse_key, workspace, handle, path=("input", "handle")):
        await audit_log.record(
            session,
            workspace.id,
            audit_log.actor_of(caller),
            "handle.changed",
            "The User ID was changed.",
            before={"handle": before},
            after={"handle": workspace.handle},
        )
        if follows:
            await _rename(session, caller, workspace, name_of(user.first_name, user.last_name, workspace.handle))


def _cleaned(name: str, text: str | None) -> str | None:
    if name == "bio":
        return optional_text(text, "A bio", at_most=MOST_BIO_CHARACTERS, path=("input", "bio"))
    field, label, at_most = _LINES[name]
    return optional_line(text, label, at_most=at_most, path=("input", field))


async def _rename(session: Session, caller: UserCaller, workspace: WorkspaceRow, name: str) -> None:
    if workspace.name == name:
        return
    await workspace_store.rename(session, workspace, name)
    # the names are left out: the log is kept when the person's account is deleted
    summary = "The personal workspace goes by its owner's new name."
    await audit_log.record(session, workspace.id, audit_log.actor_of(caller), "workspace.renamed", summary)


async def _lock(session: Session, caller: UserCaller) -> UserRow:
    user = await email_address_store.lock_user(session, caller.user_id)
    if user is None:
        raise Unauthenticated
    return user


async def _personal_workspace(session: Session, caller: UserCaller) -> WorkspaceRow:
    found = await user_store.with_personal_workspace(session, caller.user_id)
    locked = await workspace_store.lock(session, found[1].id) if found is not None else None
    if locked is None:
        raise Unauthenticated
    return locked
