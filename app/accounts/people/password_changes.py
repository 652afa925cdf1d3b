"""Changing a password, and resetting one by a mailed link. Both end the user's other sessions."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import select

from app.accounts.access.callers import UserCaller
from app.accounts.people.email_syntax import parse_email
from app.accounts.people.sessions import OpenedSession, open_session
from app.accounts.people.sign_in import PERIOD_SECONDS
from app.accounts.security.passwords import Passwords, check_new_password
from app.accounts.security.rate_limits import (
    Limit,
    RateLimits,
    clear_counts,
    count_attempt,
    network_of,
    uncount_attempt,
)
from app.accounts.security.secrets import Keys, new_token, token_hash
from app.accounts.security.shared_errors import TokenExpired, WrongCredentials
from app.db.engine import Database, Session
from app.db.tables.people import MailedLinkRow
from app.db.unit_of_work import transact
from app.messages import message_texts
from app.messages.mail import encrypt, queue_mail
from app.store import email_addresses as email_address_store
from app.store import mailed_links as mailed_link_store
from app.store import sessions as session_store
from app.store import users as user_store

MAIL_RESET_LINK = "mail_reset_link"

LINK_LIFETIME = timedelta(hours=1)

_WRONG_PASSWORD = "This is not your password."
_NO_PASSWORD_YET = "Your account has no password yet. Set one by the link that is mailed to those who forgot theirs."

RESETS_PER_ADDRESS = Limit("reset:address", most=5, per_seconds=3_600)
RESETS_PER_NETWORK = Limit("reset:network", most=50, per_seconds=3_600)
# Counts failures only: a right password clears the count.
TRIES_PER_USER = Limit(
    "password:user", most=10, per_seconds=900, always_on=True, ends_with_success=True, can_be_cleared=True
)


async def request_reset(
    database: Database, keys: Keys, limits: RateLimits, email_address: str, *, remote_address: str
) -> None:
    """Have a link to choose a new password mailed to an address.

    The worker looks up whether the address has an account, so that neither the answer nor its time shows that. Raises
    `InvalidInput` for what is no address, and `RateLimited`.
    """
    email = parse_email(email_address, path=("input", "emailAddress"))
    await count_attempt(
        database, limits, (RESETS_PER_ADDRESS, email.key), (RESETS_PER_NETWORK, network_of(remote_address))
    )

    async def ask(session: Session) -> None:
        # the outbox needs a transaction that has begun, which the first statement does
        await session.execute(select(1))
        session.outbox.enqueue(MAIL_RESET_LINK, encrypt(email.address, keys.mail))

    await transact(database, ask, step="reset.request")


async def mail_reset_link(database: Database, keys: Keys, address: str, *, public_url: str) -> None:
    """The job `MAIL_RESET_LINK`: mail a link to whoever has verified the address, or else a mail saying that nobody has."""
    email = parse_email(address)

    async def send(session: Session) -> None:
        found = await email_address_store.user_of(session, email.key)
        if found is None:
            queue_mail(session, message_texts.no_account(email.address), keys.mail)
            return
        user_id, address_as_typed = found
        token = new_token()
        link = MailedLinkRow(
            token_hash=token_hash(token),
            user_id=user_id,
            email_id=None,
            created_at=session.real_now,
            expires_at=session.real_now + LINK_LIFETIME,
        )
        await mailed_link_store.add(session, link)
        mail = message_texts.reset_password(
            address_as_typed, f"{public_url}/reset-password?token={quote(token)}", LINK_LIFETIME
        )
        queue_mail(session, mail, keys.mail, about=user_id)

    await transact(database, send, step="reset.mail")


async def reset_password(
    database: Database,
    passwords: Passwords,
    keys: Keys,
    limits: RateLimits,
    token: str,
    new_password: str,
    *,
    user_agent: str | None,
    replaces: str | None = None,
) -> OpenedSession:
    """Set a new password by the token of a mailed link, end every session of the user and `replaces`, and open a new one.

    Failures to sign in with the password before, from wherever, count no more.

    Raises `InvalidInput` for a password that is too short or too long, and `TokenExpired` for a token that is unknown, used or
    older than `LINK_LIFETIME`.
    """
    check_new_password(new_password, path=("input", "newPassword"))
    async with database.read() as session:
        # checked first: hashing the password takes much work, and an invalid link is not worth it
        if not await mailed_link_store.is_reset(session, token_hash(token), at=session.real_now):
            raise TokenExpired(path=("input", "token"))
    hashed = await passwords.hash(new_password)

    async def finish(session: Session) -> OpenedSession:
        link = await mailed_link_store.take_reset(session, token_hash(token), at=session.real_now)
        if link is None:
            raise TokenExpired(path=("input", "token"))
        await email_address_store.lock_user(session, link.user_id)
        await _set_password(session, keys, limits, link.user_id, hashed, except_session=None)
        return await open_session(session, link.user_id, user_agent, replaces=replaces)

    return await transact(database, finish, step="reset")


async def change_password(
    database: Database,
    passwords: Passwords,
    keys: Keys,
    limits: RateLimits,
    caller: UserCaller,
    current_password: str,
    new_password: str,
) -> None:
    """Change the caller's password, and end their other sessions.

    Raises `InvalidInput` for a password that is too short or too long, `WrongCredentials` for a wrong current one and for an
    account without one, `RateLimited` after too many failures.
    """
    check_new_password(new_password, path=("input", "newPassword"))
    current_hash = await check_password(
        database, passwords, limits, caller, current_password, path=("input", "currentPassword")
    )
    hashed = await passwords.hash(new_password)

    async def change(session: Session) -> None:
        if not await user_store.lock_password(session, caller.user_id, current_hash):
            raise WrongCredentials(_WRONG_PASSWORD, path=("input", "currentPassword"))
        await _set_password(session, keys, limits, caller.user_id, hashed, except_session=caller.session_id)

    await transact(database, change, step="password.change")


async def check_password(
    database: Database,
    passwords: Passwords,
    limits: RateLimits,
    caller: UserCaller,
    password: str,
    *,
    path: tuple[str, ...],
) -> str:
    """Check the caller's password again, and return its hash. Only failures are counted.

    Raises `WrongCredentials` for a wrong one and for an account without one, `RateLimited` after too many failures.
    """
    user_id = str(caller.user_id)
    attempt = await count_attempt(database, limits, (TRIES_PER_USER, user_id), subject=user_id)
    async with database.read() as session:
        current_hash = await user_store.password_of(session, caller.user_id)
    if current_hash is None:
        raise WrongCredentials(_NO_PASSWORD_YET, path=path)
    checked = await passwords.check(password, current_hash)
    if not checked.is_right:
        raise WrongCredentials(_WRONG_PASSWORD, path=path)
    await uncount_attempt(database, attempt)
    return current_hash


async def _set_password(
    session: Session, keys: Keys, limits: RateLimits, user_id: UUID, hashed: str, *, except_session: UUID | None
) -> None:
    await user_store.set_password(session, user_id, hashed)
    await _clear_failures(session, limits, user_id)
    await session_store.end_others(session, user_id, except_session)
    await mailed_link_store.forget_resets(session, user_id)
    primary = await email_address_store.primary(session, user_id)
    if primary is not None:
        queue_mail(session, message_texts.password_changed(primary.address), keys.mail, about=user_id)


async def _clear_failures(session: Session, limits: RateLimits, user_id: UUID) -> None:
    """What was tried with the password before does not keep anybody from using the new one."""
    verified = [row.address_key for row in await user_store.emails_of(session, user_id) if row.verified_at is not None]
    per_seconds = max(PERIOD_SECONDS, TRIES_PER_USER.per_seconds)
    await clear_counts(session, limits, [str(user_id), *verified], per_seconds=per_seconds)
