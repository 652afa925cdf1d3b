"""Re-authentication before what can't be undone: by the password, or by a mailed code for an account without one."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from uuid import UUID

from app.accounts.access.callers import UserCaller
from app.accounts.people.password_changes import check_password
from app.accounts.security.passwords import Passwords
from app.accounts.security.rate_limits import Limit, RateLimits, count_begun
from app.accounts.security.secrets import Keys, keyed_hash
from app.accounts.security.shared_errors import CodeExpired, CodeWrong
from app.accounts.security.text_input import pasted_code
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import DomainError, InvalidInput
from app.messages import message_texts
from app.messages.mail import queue_mail
from app.store import email_addresses as email_address_store
from app.store import mailed_links as mailed_link_store
from app.store import users as user_store

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5

SENDS_PER_USER = Limit("reauthentication:user", most=5, per_seconds=3_600)


class ReauthenticationRequired(DomainError):
    """Prove again who you are."""

    code = ErrorCode.REAUTHENTICATION_REQUIRED


async def send_code(database: Database, keys: Keys, limits: RateLimits, caller: UserCaller) -> None:
    """Mail a code to the primary address of a user without a password. It can be used for `CODE_LIFETIME`, in `MOST_TRIES` tries.

    Raises `InvalidInput` for a user who has a password or no verified address, and `RateLimited`.
    """
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"

    async def send(session: Session) -> None:
        await email_address_store.lock_user(session, caller.user_id)
        if await user_store.password_of(session, caller.user_id) is not None:
            raise InvalidInput("This account has a password: use that instead of a code.")
        primary = await email_address_store.primary(session, caller.user_id)
        if primary is None:
            raise InvalidInput("A code can only be mailed to a verified address. Verify one first.")
        expires_at = session.real_now + CODE_LIFETIME
        await mailed_link_store.save_code(
            session, caller.user_id, _hash(keys, caller.user_id, code), expires_at=expires_at
        )
        await count_begun(session, limits, (SENDS_PER_USER, str(caller.user_id)))
        mail = message_texts.reauthentication_code(primary.address, code, CODE_LIFETIME)
        queue_mail(session, mail, keys.mail, about=caller.user_id)

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
    """Check the caller's password, or the mailed code if the account has no password.

    Raises `ReauthenticationRequired` when what is needed is not given, `WrongCredentials` or `CodeWrong` for a wrong one,
    `CodeExpired` for a code that is older than `CODE_LIFETIME` or had `MOST_TRIES` tries, and `RateLimited`.
    """
    async with database.read() as session:
        has_password = await user_store.password_of(session, caller.user_id) is not None
    if has_password:
        if password is None:
            raise ReauthenticationRequired("Enter your password.", path=("input", "password"))
        await check_password(database, passwords, limits, caller, password, path=("input", "password"))
        return
    if code is None:
        raise ReauthenticationRequired("Ask for a code by mail, and enter it.", path=("input", "code"))
    # committed before the code is compared, so that a try counts whatever happens after it
    code_hash = await transact(database, lambda session: _use_try(session, caller.user_id), step="reauthentication.try")
    if code_hash is None:
        raise CodeExpired(path=("input", "code"))
    if not hmac.compare_digest(code_hash, _hash(keys, caller.user_id, pasted_code(code))):
        raise CodeWrong(path=("input", "code"))


async def _use_try(session: Session, user_id: UUID) -> bytes | None:
    return await mailed_link_store.try_code(session, user_id, at=session.real_now, at_most=MOST_TRIES)


def _hash(keys: Keys, user_id: UUID, code: str) -> bytes:
    return keyed_hash(keys.codes, "reauthentication", str(user_id), code)
