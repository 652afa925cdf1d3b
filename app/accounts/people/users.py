"""Users: a person, their personal workspace, and the handle that both go by."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.permissions import WorkspaceRole
from app.accounts.people.email_syntax import EmailAddress
from app.accounts.people.handles import claim_handle, claim_made_up_handle
from app.accounts.security.account_errors import AccountClosing, EmailTaken, EmailUnverified
from app.db.engine import Session
from app.db.tables.people import EmailRow, UserRow
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.errors import Unauthenticated
from app.ids import uuid7
from app.store import deletions as deletion_store
from app.store import users as user_store
from app.store import workspaces as workspace_store

# of a first name, and of a last one
MOST_NAME_CHARACTERS: Final = 100


class Visibility(StrEnum):
    """Who may read a profile: everyone, or only fellow members of a workspace."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


@dataclass(frozen=True, slots=True)
class User:
    """A person as the product knows them; `avatar_digest` names their image, if they have one."""

    id: UUID
    handle: str
    first_name: str | None
    last_name: str | None
    company: str | None
    job_title: str | None
    bio: str | None
    visibility: Visibility
    personal_workspace_id: UUID
    created_at: datetime
    avatar_digest: str | None = None

    @property
    def display_name(self) -> str:
        """First and last name, or the handle of a person who gave neither."""
        return name_of(self.first_name, self.last_name, self.handle)

    @property
    def initials(self) -> str:
        """One or two letters that stand in for an avatar: the first of each name, or the first two of the handle."""
        names = [letter for letter in map(_initial, (self.first_name, self.last_name)) if letter]
        return "".join(names) or "".join(filter(str.isalnum, self.handle))[:2].upper()


@dataclass(frozen=True, slots=True)
class NewUser:
    """What an account is made from: their address, and what they told about themselves.

    `is_email_verified` says whether the address is proven to be theirs; one that is not can only come from an identity provider.
    """

    email: EmailAddress
    password_hash: str | None
    handle: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    is_email_verified: bool = True


def _initial(name: str | None) -> str:
    """The first letter of a name, or else its first visible character; a capital where that is one letter too."""
    visible = [
        letter for letter in unicodedata.normalize("NFC", name or "") if unicodedata.category(letter)[0] not in "CMZ"
    ]
    first = next(filter(str.isalnum, visible), visible[0] if visible else "")
    capital = first.upper()
    return capital if len(capital) == 1 else first


def full_name(first_name: str | None, last_name: str | None) -> str:
    """The names there are, first name first; empty for none."""
    return " ".join(name for name in (first_name, last_name) if name)


def name_of(first_name: str | None, last_name: str | None, handle: str) -> str:
    """What a person goes by, and so does their personal workspace until it is renamed."""
    return full_name(first_name, last_name) or handle


async def create_user(session: Session, abuse_key: bytes, new: NewUser) -> User:
    """Make an account with its address and its personal workspace, of which the user is the owner.

    An address that is verified is primary; one that is not stays unverified, whoever else may have it.

    Takes the handle asked for, or makes one up where none was asked for or it is gone by now; `abuse_key` is the key that handles
    given up are hashed with. Raises `EmailTaken` when another account has verified the address.
    """
    user = UserRow(
        id=uuid7(),
        first_name=new.first_name,
        last_name=new.last_name,
        # nobody's name becomes public by signing up
        visibility=Visibility.PRIVATE,
        password_hash=new.password_hash,
        created_at=session.now,
    )
    await user_store.add(session, user)
    is_theirs = await user_store.add_first_email(
        session,
        email_id=uuid7(),
        user_id=user.id,
        address=new.email.address,
        address_key=new.email.key,
        is_verified=new.is_email_verified,
        at=session.now,
    )
    if not is_theirs:
        raise EmailTaken
    return user_of(user, await _open_personal_workspace(session, abuse_key, user, new))


async def _open_personal_workspace(session: Session, abuse_key: bytes, user: UserRow, new: NewUser) -> WorkspaceRow:
    workspace_id = uuid7()
    name = full_name(new.first_name, new.last_name)
    handle = new.handle
    if handle is None or not await claim_handle(session, abuse_key, handle, workspace_id):
        # never one that resembles the address: whoever tried such handles would learn whose address is here
        handle = await claim_made_up_handle(session, abuse_key, workspace_id, name, otherwise="user")
    workspace = WorkspaceRow(
        id=workspace_id,
        kind="PERSONAL",
        name=name_of(new.first_name, new.last_name, handle),
        handle=handle,
        created_by=user.id,
        created_at=session.now,
        version=1,
    )
    await workspace_store.add(session, workspace)
    membership = MembershipRow(
        workspace_id=workspace_id, user_id=user.id, role=WorkspaceRole.OWNER, joined_at=session.now
    )
    await workspace_store.add_member(session, membership)
    await audit_log.record(
        session, workspace_id, Actor(user_id=user.id), "workspace.created", "The personal workspace was opened."
    )
    return workspace


async def find_user(session: Session, user_id: UUID) -> User | None:
    """The user, if there is one."""
    found = await user_store.with_personal_workspace(session, user_id)
    return user_of(*found) if found is not None else None


async def lock_joining_user(session: Session, user_id: UUID) -> None:
    """Lock the user, who is about to belong to one more workspace, until the transaction ends.

    Raises `Unauthenticated` for who is gone, and `AccountClosing` for who will be: what their deletion takes with it was decided
    when there was a way back for the last time.
    """
    if not await user_store.lock_joining_user(session, user_id):
        raise Unauthenticated
    if await deletion_store.is_irreversible(session, user_id):
        raise AccountClosing


async def require_verified_email(session: Session, user_id: UUID) -> None:
    """Raise `EmailUnverified` unless one of the user's addresses is verified: what costs money must reach whom it costs."""
    if not await user_store.has_verified_email(session, user_id):
        raise EmailUnverified("Verify your e-mail address first.")


async def emails_of(session: Session, user_id: UUID) -> Sequence[EmailRow]:
    """A user's addresses, of which there always is one: the primary one first, then the oldest."""
    return await user_store.emails_of(session, user_id)


def user_of(row: UserRow, personal: WorkspaceRow) -> User:
    """The person that these rows are of."""
    return User(
        id=row.id,
        handle=personal.handle,
        first_name=row.first_name,
        last_name=row.last_name,
        company=row.company,
        job_title=row.job_title,
        bio=row.bio,
        visibility=Visibility(row.visibility),
        personal_workspace_id=personal.id,
        created_at=row.created_at,
        avatar_digest=row.avatar_digest,
    )
