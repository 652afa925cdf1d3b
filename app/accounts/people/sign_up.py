"""Signing up: a form, a mailed link, an account.

The form answers alike for every address, after the same work, and a mail goes out either way: only its reader learns whether there
is an account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote
from uuid import UUID

from app.accounts.people.email_addresses import LINK_LIFETIME, follow_verification
from app.accounts.people.email_syntax import EmailAddress, parse_email
from app.accounts.people.handles import check_handle, refuse_at_sign_up
from app.accounts.people.sessions import OpenedSession, open_session
from app.accounts.people.users import MOST_NAME_CHARACTERS, NewUser, create_user
from app.accounts.security.account_errors import EmailTaken, TokenExpired
from app.accounts.security.passwords import Passwords, check_new_password
from app.accounts.security.rate_limits import Limit, RateLimits, hit, network_of
from app.accounts.security.secrets import Keys, new_token, token_hash
from app.accounts.security.text_input import optional_line
from app.db.engine import Database, Session
from app.db.tables.people import SignUpRow
from app.db.unit_of_work import transact
from app.messages import message_texts
from app.messages.mail import queue_mail
from app.store import users as user_store

PER_ADDRESS = Limit("sign-up:address", most=5, per_seconds=3_600)
PER_NETWORK = Limit("sign-up:network", most=50, per_seconds=3_600)


@dataclass(frozen=True, slots=True)
class SignUp:
    """The form as it was filled in."""

    email_address: str
    password: str
    handle: str | None = None
    first_name: str | None = None
    last_name: str | None = None


async def sign_up(
    database: Database,
    passwords: Passwords,
    keys: Keys,
    limits: RateLimits,
    form: SignUp,
    *,
    remote_address: str,
    public_url: str,
) -> None:
    """Keep the form for 24 hours and mail a link to its address, or, where that has an account, a mail that says so.

    Raises `InvalidInput` or `HandleInvalid` for a form that is wrong whoever fills it in, `RateLimited`, and `HandleTaken`, after
    the same for every address. The handle is not taken: that happens when the link is followed.
    """
    email = parse_email(form.email_address, path=("input", "emailAddress"))
    check_new_password(form.password, path=("input", "password"))
    form = replace(
        form,
        handle=check_handle(form.handle, path=("input", "handle")) if form.handle is not None else None,
        first_name=optional_line(form.first_name, "A name", at_most=MOST_NAME_CHARACTERS, path=("input", "firstName")),
        last_name=optional_line(form.last_name, "A name", at_most=MOST_NAME_CHARACTERS, path=("input", "lastName")),
    )
    await hit(database, limits, (PER_ADDRESS, email.key), (PER_NETWORK, network_of(remote_address)))
    if form.handle is not None:
        async with database.read() as session:
            await refuse_at_sign_up(session, keys.abuse_key, form.handle, path=("input", "handle"))
    password_hash = await passwords.hash(form.password)

    async def keep(session: Session) -> None:
        token = new_token()
        await user_store.add_sign_up(session, _pending(session, form, email, password_hash, token))
        if await user_store.is_verified_address(session, email.key):
            mail = message_texts.already_registered(email.address)
        else:
            link = f"{public_url}/verify-email?token={quote(token)}"
            mail = message_texts.confirm_address(email.address, link, session.real_now)
        queue_mail(session, mail, keys.mail)

    await transact(database, keep, step="sign-up")


@dataclass(frozen=True, slots=True)
class Verified:
    """Whose address is verified now, and, for an account that was just made, the session opened with it."""

    user_id: UUID
    opened: OpenedSession | None


async def verify_email(
    database: Database,
    keys: Keys,
    token: str,
    *,
    user_agent: str | None,
    before_opening: Callable[[], None] | None = None,
) -> Verified:
    """Follow a mailed link: make the account, its workspace and a session, all or nothing, or verify an address that was added.

    `before_opening` is called where the link is one that opens a session; what it raises leaves the link good. Raises
    `TokenExpired` for a link that is unknown, used or older than 24 hours, and `EmailTaken` when an account has verified the
    address meanwhile: another one, or the one that another link to it made.
    """

    async def follow(session: Session) -> Verified:
        pending = await user_store.take_sign_up(session, token_hash(token), at=session.real_now)
        if pending is not None:
            if before_opening is not None:
                before_opening()
            opened = await _open_account(session, keys, pending, user_agent)
            return Verified(opened.user_id, opened)
        user_id = await follow_verification(session, keys, token)
        if user_id is None:
            raise TokenExpired(path=("input", "token"))
        return Verified(user_id, None)

    try:
        return await transact(database, follow, step="verify-email")
    except EmailTaken:
        raise EmailTaken(path=("input", "token")) from None


async def _open_account(session: Session, keys: Keys, pending: SignUpRow, user_agent: str | None) -> OpenedSession:
    new = NewUser(
        email=EmailAddress(pending.address, pending.address_key),
        password_hash=pending.password_hash,
        handle=pending.handle,
        first_name=pending.first_name,
        last_name=pending.last_name,
    )
    user = await create_user(session, keys.abuse_key, new)
    return await open_session(session, user.id, user_agent)


def _pending(session: Session, form: SignUp, email: EmailAddress, password_hash: str, token: str) -> SignUpRow:
    return SignUpRow(
        token_hash=token_hash(token),
        address=email.address,
        address_key=email.key,
        password_hash=password_hash,
        handle=form.handle,
        first_name=form.first_name,
        last_name=form.last_name,
        created_at=session.real_now,
        expires_at=session.real_now + LINK_LIFETIME,
    )
