"""Proving once more who one is, before what can't be undone: the password, or a mailed code for an account without one."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from uuid import UUID

from app.accounts.access.callers import UserCaller
from app.accounts.people.password_changes import check_password
from app.accounts.security.account_errors import CodeExpired, CodeWrong, ReauthenticationRequired
from app.accounts.security.passwords import Passwords
from app.accounts.security.rate_limits import Limit, RateLimits, hit
from app.accounts.security.secrets import Keys, keyed_hash
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from app.messages import message_texts
from app.messages.mail import queue_mail
from app.store import email_addresses as email_address_store
from app.store import mailed_links as mailed_link_store
from app.store import users as user_store

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5

SENDS_PER_USER = Limit("reauthentication:user", most=5, per_seconds=3_600)


async def send_code(database: Database, keys: Keys, limits: RateLimits, caller: UserCaller) -> None:
    """Mail a code of 6 digits to the primary address of a user without a password: good for 10 minutes and 5 tries.

    Raises `InvalidInput` for a user who has a password or no verified address, and `RateLimited`.
    """
    await hit(database, limits, (SENDS_PER_USER, str(caller.user_id)))
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"

    async def send(session: Session) -> None:
        await email_address_store.lock_user(session, caller.user_id)
        if await user_store.password_of(session, caller.user_id) is not None:
            raise InvalidInput("This account has a password: give that.")
        primary = await email_address_store.primary(session, caller.user_id)
        if primary is None:
            raise InvalidInput("A code can only be mailed to a verified address. Verify one first.")
        expires_at = session.real_now + CODE_LIFETIME
        await mailed_link_store.save_code(
            session, caller.user_id, _hash(keys, caller.user_id, code), expires_at=expires_at
        )
        queue_mail(session, message_texts.reauthentication_code(primary.address, code), keys.mail, about=caller.user_id)

    await transact(database, send, step="reauthentication.send")


async def reauthenticate(
    database: Database,
    passwords: Passwords,
    keys: Keys,
    limits: RateLimits,
    caller: UserCaller,
    *,
    password: str | None,
    code: str | None,
) -> None:
    """Check that it is really the caller who asks.

    An account with a password wants that, one without a code. Raises `ReauthenticationRequired` for neither, `WrongCredentials` or
    `CodeWrong` for a wrong one, `CodeExpired` for a code that is too old or was tried 5 times, and `RateLimited`.
    """
    async with database.read() as session:
        has_password = await user_store.password_of(session, caller.user_id) is not None
    if has_password:
        if password is None:
            raise ReauthenticationRequired("Give your password.", path=("input", "password"))
        await check_password(database, passwords, limits, caller, password, path=("input", "password"))
        return
    if code is None:
        raise ReauthenticationRequired("Ask for a code by mail, and give it.", path=("input", "code"))
    # the try is counted before the code is looked at, and stays counted whatever comes of it
    kept = await transact(database, lambda session: _try(session, caller.user_id), step="reauthentication.try")
    if kept is None:
        raise CodeExpired(path=("input", "code"))
    if not hmac.compare_digest(kept, _hash(keys, caller.user_id, code.strip())):
        raise CodeWrong(path=("input", "code"))


async def _try(session: Session, user_id: UUID) -> bytes | None:
    return await mailed_link_store.try_code(session, user_id, at=session.real_now, at_most=MOST_TRIES)


def _hash(keys: Keys, user_id: UUID, code: str) -> bytes:
    return keyed_hash(keys.codes, "reauthentication", str(user_id), code)
