"""A user's e-mail addresses: adding one, verifying it by a mailed link, making one primary, removing one."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

from app.accounts.access.callers import UserCaller
from app.accounts.people.email_syntax import parse_email
from app.accounts.people.milestones import Milestones
from app.accounts.people.users import find_user
from app.accounts.security.rate_limits import Limit, RateLimits, count_begun, network_of
from app.accounts.security.secrets import Keys, new_token, token_hash
from app.accounts.security.shared_errors import EmailTaken, EmailUnverified
from app.db.engine import Database, Session
from app.db.tables.people import EmailRow, MailedLinkRow
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import DomainError, InvalidInput, NotFound, Unauthenticated
from app.ids import uuid7
from app.messages import message_texts
from app.messages.mail import queue_mail
from app.store import email_addresses as email_address_store
from app.store import mailed_links as mailed_link_store
from app.store import users as user_store

LINK_LIFETIME = timedelta(hours=24)
MOST_ADDRESSES = 10

PER_USER = Limit("verify-email:user", most=20, per_seconds=3_600)
PER_ADDRESS = Limit("verify-email:address", most=5, per_seconds=3_600)
PER_NETWORK = Limit("verify-email:network", most=50, per_seconds=3_600)


class AddressVerified(DomainError):
    """This address is verified already: no link was mailed."""

    code = ErrorCode.NO_CHANGE


class PrimaryEmail(DomainError):
    """The primary address can't be removed. Make another one primary first."""

    code = ErrorCode.PRIMARY_EMAIL


async def add_email(
    database: Database,
    keys: Keys,
    limits: RateLimits,
    caller: UserCaller,
    address: str,
    *,
    remote_address: str,
    public_url: str,
) -> EmailRow:
    """Add an address to the caller's and mail it a link; an unverified one that they have already is mailed another link.

    The answer and the mail are the same whether or not another account has the address. Raises `InvalidInput` for what is no
    address and for one more than `MOST_ADDRESSES`, and `RateLimited`.
    """
    email = parse_email(address, path=("input", "address"))

    async def add(session: Session) -> EmailRow:
        await _lock_user(session, caller)
        row = await email_address_store.add_unverified(
            session,
            email_id=uuid7(),
            user_id=caller.user_id,
            address=email.address,
            address_key=email.key,
            at=session.now,
        )
        if await email_address_store.count(session, caller.user_id) > MOST_ADDRESSES:
            raise InvalidInput(f"An account has at most {MOST_ADDRESSES} addresses.", path=("input", "address"))
        if row.verified_at is None:
            await _count_send(session, limits, caller, row.address_key, remote_address)
            await _mail_link(session, keys, row, public_url)
        return row

    return await transact(database, add, step="email.add")


async def send_verification(
    database: Database,
    keys: Keys,
    limits: RateLimits,
    caller: UserCaller,
    email_id: UUID,
    *,
    remote_address: str,
    public_url: str,
) -> EmailRow:
    """Mail another link to one of the caller's addresses.

    Raises `AddressVerified` for one that is verified, `NotFound` for one that is not the caller's, and `RateLimited`.
    """
    async with database.read() as session:
        row = await _own_address(session, caller, email_id)
    if row.verified_at is not None:
        raise AddressVerified(path=("input", "id"))

    async def send(session: Session) -> EmailRow:
        await _lock_user(session, caller)
        row = await _own_address(session, caller, email_id)
        if row.verified_at is None:
            await _count_send(session, limits, caller, row.address_key, remote_address)
            await _mail_link(session, keys, row, public_url)
        return row

    return await transact(database, send, step="email.send_link")


async def follow_verification(
    session: Session, keys: Keys, token: str, milestones: Milestones | None = None
) -> UUID | None:
    """Verify an address by the token of a mailed link, and make it primary if its user has no primary one; returns the user.

    A mail is sent to the primary address, since whoever reads a verified address can set the account's password. Returns None for a
    token that is unknown, used, or older than `LINK_LIFETIME`. Raises `EmailTaken` when another account has verified the address.
    """
    link = await mailed_link_store.take_verification(session, token_hash(token), at=session.real_now)
    if link is None or link.email_id is None:
        return None
    await email_address_store.lock_user(session, link.user_id)
    row = await email_address_store.find(session, link.user_id, link.email_id)
    if row is None:
        return None
    was_verified = row.verified_at is not None
    is_first = not await user_store.has_verified_email(session, link.user_id)
    if not await email_address_store.verify(session, row.id, session.now):
        raise EmailTaken
    primary = await email_address_store.primary(session, link.user_id)
    if primary is None:
        await email_address_store.make_primary(session, link.user_id, row.id)
    elif not was_verified:
        mail = message_texts.address_added(primary.address, await _handle_of(session, link.user_id))
        queue_mail(session, mail, keys.mail, about=link.user_id)
    if milestones is not None and not was_verified:
        await milestones.address_verified(session, link.user_id, row.address_key, is_first=is_first)
    return link.user_id


async def set_primary(session: Session, keys: Keys, caller: UserCaller, email_id: UUID) -> EmailRow:
    """Make one of the caller's verified addresses the one that mail about the account goes to, and mail the former one.

    Raises `NotFound` for an address that is not the caller's, `EmailUnverified` for one whose link was not followed.
    """
    await _lock_user(session, caller)
    row = await _own_address(session, caller, email_id)
    if row.verified_at is None:
        raise EmailUnverified(path=("input", "id"))
    former = await email_address_store.primary(session, caller.user_id)
    if former is not None and former.id == row.id:
        return row
    await email_address_store.make_primary(session, caller.user_id, row.id)
    await mailed_link_store.forget_resets(session, caller.user_id)
    if former is not None:
        mail = message_texts.primary_address_changed(former.address, await _handle_of(session, caller.user_id))
        queue_mail(session, mail, keys.mail, about=caller.user_id)
    return await _own_address(session, caller, email_id)


async def remove_email(session: Session, keys: Keys, caller: UserCaller, email_id: UUID) -> None:
    """Remove one of the caller's addresses; if it was verified, it and the primary one get a mail.

    Raises `NotFound` for an address that is not the caller's, `PrimaryEmail` for the primary one and for the only one.
    """
    await _lock_user(session, caller)
    row = await _own_address(session, caller, email_id)
    if row.is_primary or await email_address_store.count(session, caller.user_id) == 1:
        raise PrimaryEmail(path=("input", "id"))
    await email_address_store.remove(session, row.id)
    # a reset link may have been mailed to the address that was just removed
    await mailed_link_store.forget_resets(session, caller.user_id)
    if row.verified_at is not None:
        await _mail_removal(session, keys, caller, row.address)


async def _mail_removal(session: Session, keys: Keys, caller: UserCaller, removed: str) -> None:
    user_id = await _handle_of(session, caller.user_id)
    queue_mail(session, message_texts.address_removed(removed, user_id), keys.mail, about=caller.user_id)
    # a thief may make an address of their own primary and remove the owner's, or leave the primary one and remove the owner's other
    # one: so both addresses get a mail
    primary = await email_address_store.primary(session, caller.user_id)
    if primary is not None:
        mail = message_texts.another_address_removed(primary.address, user_id)
        queue_mail(session, mail, keys.mail, about=caller.user_id)


async def _handle_of(session: Session, user_id: UUID) -> str:
    """The account's User ID, by which mails say which account they are about."""
    user = await find_user(session, user_id)
    if user is None:
        raise Unauthenticated
    return user.handle


async def _lock_user(session: Session, caller: UserCaller) -> None:
    if await email_address_store.lock_user(session, caller.user_id) is None:
        raise Unauthenticated


async def _own_address(session: Session, caller: UserCaller, email_id: UUID) -> EmailRow:
    row = await email_address_store.find(session, caller.user_id, email_id)
    if row is None:
        raise NotFound
    return row


async def _mail_link(session: Session, keys: Keys, row: EmailRow, public_url: str) -> None:
    token = new_token()
    link = MailedLinkRow(
        token_hash=token_hash(token),
        user_id=row.user_id,
        email_id=row.id,
        created_at=session.real_now,
        expires_at=session.real_now + LINK_LIFETIME,
    )
    await mailed_link_store.add(session, link)
    link_to = f"{public_url}/verify-email?token={quote(token)}"
    mail = message_texts.verify_address(row.address, link_to, LINK_LIFETIME, await _handle_of(session, row.user_id))
    queue_mail(session, mail, keys.mail, about=row.user_id)


async def _count_send(
    session: Session, limits: RateLimits, caller: UserCaller, address_key: str, remote_address: str
) -> None:
    await count_begun(
        session,
        limits,
        (PER_USER, str(caller.user_id)),
        (PER_ADDRESS, address_key),
        (PER_NETWORK, network_of(remote_address)),
    )
