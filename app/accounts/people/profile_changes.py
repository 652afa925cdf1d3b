"""What people tell about themselves, who may read it, and the User ID they go by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.accounts.access import audit_log
from app.accounts.access.callers import UserCaller
from app.accounts.people.handles import change_handle
from app.accounts.people.users import Visibility, name_of
from app.accounts.security.secrets import Keys
from app.accounts.security.text_input import optional_line, optional_text
from app.db.engine import Session
from app.db.tables.people import UserRow
from app.db.tables.workspaces import WorkspaceRow
from app.errors import Unauthenticated
from app.store import email_addresses as email_address_store
from app.store import users as user_store
from app.store import workspaces as workspace_store

LONGEST_LINE: Final = 100
LONGEST_BIO: Final = 1_000

# the fields by the names of the rows, with what the API calls them and what messages do
_LINES: Final = {
    "first_name": ("firstName", "A name"),
    "last_name": ("lastName", "A name"),
    "company": ("company", "A company's name"),
    "job_title": ("jobTitle", "A job title"),
}
_NAMES: Final = frozenset({"first_name", "last_name"})


async def update_profile(session: Session, caller: UserCaller, changes: Mapping[str, str | None]) -> None:
    """Change what the caller tells about themselves: the fields that `changes` names, None and blanks clearing them.

    The fields are `first_name`, `last_name`, `company`, `job_title` and `bio`. The personal workspace goes by the new names too,
    unless it was renamed. Raises `InvalidInput` for what is too long or holds control characters; then nothing is changed.
    """
    told = {name: _told(name, text) for name, text in changes.items()}
    user = await _lock(session, caller)
    workspace = await _personal_workspace(session, caller) if told.keys() & _NAMES else None
    before = name_of(user.first_name, user.last_name, workspace.handle) if workspace is not None else None
    for name, text in told.items():
        setattr(user, name, text)
    if workspace is not None and workspace.name == before:
        await _rename(session, caller, workspace, name_of(user.first_name, user.last_name, workspace.handle))


async def set_visibility(session: Session, caller: UserCaller, visibility: Visibility) -> None:
    """Let everyone read the caller's profile, or only fellow members of a workspace."""
    user = await _lock(session, caller)
    user.visibility = visibility


async def change_user_id(session: Session, keys: Keys, caller: UserCaller, handle: str) -> None:
    """Let the caller go by another User ID from now on; the former one leads nowhere, and is nobody else's for 30 days.

    So does the personal workspace of a person without names, unless it was renamed. Raises `HandleInvalid` and `HandleTaken`.
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


def _told(name: str, text: str | None) -> str | None:
    if name == "bio":
        return optional_text(text, "A bio", at_most=LONGEST_BIO, path=("input", "bio"))
    field, what = _LINES[name]
    return optional_line(text, what, at_most=LONGEST_LINE, path=("input", field))


async def _rename(session: Session, caller: UserCaller, workspace: WorkspaceRow, name: str) -> None:
    if workspace.name == name:
        return
    workspace.name = name
    workspace.version += 1
    # the names themselves stay out of the log, which outlives the person
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
