"""Users: making an account with its personal workspace, finding one, and the names that a user is shown by."""

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
from app.accounts.people.handles import claim_generated_handle, claim_handle
from app.accounts.people.milestones import Milestones
from app.accounts.security.secrets import HashKeys
from app.accounts.security.shared_errors import EmailTaken, EmailUnverified
from app.db.engine import Session
from app.db.reads import all_in
from app.db.tables.people import EmailRow, UserRow
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.error_codes import ErrorCode
from app.errors import DomainError, Unauthenticated
from app.ids import uuid7
from app.store import deletions as deletion_store
from app.store import users as user_store
from app.store import workspaces as workspace_store
from app.store.users import Person

# of a first name, and of a last one
MOST_NAME_CHARACTERS: Final = 100


class AccountClosing(DomainError):
    """This account is being deleted: it can't join or create an organization any more."""

    code = ErrorCode.CONFLICT


class Visibility(StrEnum):
    """Who may read a profile: everyone, or only fellow members of a workspace."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account; `handle` is that of the personal workspace, `avatar_digest` names the avatar, if there is one."""

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
        names = [character for character in map(_initial, (self.first_name, self.last_name)) if character]
        return "".join(names) or "".join(filter(str.isalnum, self.handle))[:2].upper()


@dataclass(frozen=True, slots=True)
class NewUser:
    """What an account is made from.

    `is_email_verified` is False for an address that an identity provider does not call verified, `vouched_by` the issuer by whose
    word alone it is verified.
    """

    email: EmailAddress
    password_hash: str | None
    handle: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    is_email_verified: bool = True
    vouched_by: str | None = None


def _initial(name: str | None) -> str:
    """The first letter of a name, or else its first visible character; as a capital, if that is a single letter."""
    visible = [
        character
        for character in unicodedata.normalize("NFC", name or "")
        if unicodedata.category(character)[0] not in "CMZ"
    ]
    first = next(filter(str.isalnum, visible), visible[0] if visible else "")
    capital = first.upper()
    return capital if len(capital) == 1 else first


def full_name(first_name: str | None, last_name: str | None) -> str:
    """The names there are, first name first; empty for none."""
    return " ".join(name for name in (first_name, last_name) if name)


def name_of(first_name: str | None, last_name: str | None, handle: str) -> str:
    """The name that a person is shown by, and their personal workspace until it is renamed."""
    return full_name(first_name, last_name) or handle


async def create_user(
    session: Session, abuse_key: HashKeys, new: NewUser, milestones: Milestones | None = None
) -> User:
    """Make an account with its address and its personal workspace, of which the user is the owner.

    A verified address becomes the primary one; an unverified one stays that, also if other accounts have it.

    Takes the handle asked for, or generates one if none was asked for or it is taken by now; `abuse_key` is the key with which
    freed handles are hashed; `milestones` are told of a verified address. Raises `EmailTaken` when another account has verified it.
    """
    user = UserRow(
        id=uuid7(),
        first_name=new.first_name,
        last_name=new.last_name,
        # a name does not become public by signing up
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
        vouched_by=new.vouched_by if new.is_email_verified else None,
        at=session.now,
    )
    if not is_theirs:
        raise EmailTaken
    await _open_personal_workspace(session, abuse_key, user, new)
    if milestones is not None and new.is_email_verified:
        await milestones.address_verified(session, user.id, new.email.key, is_first=True)
    made = await find_user(session, user.id)
    if made is None:
        raise LookupError("an account that was just made is not there")
    return made


async def _open_personal_workspace(session: Session, abuse_key: HashKeys, user: UserRow, new: NewUser) -> None:
    workspace_id = uuid7()
    name = full_name(new.first_name, new.last_name)
    handle = new.handle
    if handle is None or not await claim_handle(session, abuse_key, handle, workspace_id):
        # never one that resembles the address: by trying such handles somebody could learn which addresses have an account
        handle = await claim_generated_handle(session, abuse_key, workspace_id, name, fallback_prefix="user")
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


async def find_user(session: Session, user_id: UUID) -> User | None:
    """The user, if there is one, as a unit of work sees them."""
    found = await all_in(session, user_store.PEOPLE, [user_id])
    return user_of(found[0]) if found else None


async def lock_joining_user(session: Session, user_id: UUID) -> None:
    """Lock the user, who is about to join one more workspace, until the transaction ends.

    Raises `Unauthenticated` for an account that is deleted, and `AccountClosing` for one whose deletion can't be undone any more:
    which workspaces it deletes is decided already.
    """
    if not await user_store.lock_joining_user(session, user_id):
        raise Unauthenticated
    if await deletion_store.is_irreversible(session, user_id):
        raise AccountClosing


async def require_verified_email(session: Session, user_id: UUID) -> None:
    """Raise `EmailUnverified` unless one of the user's addresses is verified: mails about payments must reach who pays."""
    if not await user_store.has_verified_email(session, user_id):
        raise EmailUnverified("Verify your e-mail address first.")


async def emails_of(session: Session, user_id: UUID) -> Sequence[EmailRow]:
    """A user's addresses, at least one: the primary one first, then the oldest."""
    return await user_store.emails_of(session, user_id)


def user_of(person: Person) -> User:
    """The user that a person who was read is."""
    return User(
        id=person.id,
        handle=person.personal.handle,
        first_name=person.first_name,
        last_name=person.last_name,
        company=person.company,
        job_title=person.job_title,
        bio=person.bio,
        visibility=Visibility(person.visibility),
        personal_workspace_id=person.personal.id,
        created_at=person.created_at,
        avatar_digest=person.avatar_digest,
    )
