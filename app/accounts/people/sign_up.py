"""Signing up: the form, the mailed link, and making the account when the link is followed.

For every address the answer is the same, after the same work, and a mail is sent: only who reads that learns whether the address
has an account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote
from uuid import UUID

from app.accounts.people.email_addresses import LINK_LIFETIME, follow_verification
from app.accounts.people.email_syntax import EmailAddress, parse_email
from app.accounts.people.handles import check_handle, require_free_handle
from app.accounts.people.milestones import Milestones
from app.accounts.people.sessions import OpenedSession, open_session
from app.accounts.people.users import MOST_NAME_CHARACTERS, NewUser, create_user
from app.accounts.security.passwords import Passwords, check_new_password
from app.accounts.security.rate_limits import Limit, RateLimits, count_attempt, network_of
from app.accounts.security.secrets import Keys, new_token, token_hash
from app.accounts.security.shared_errors import EmailTaken, TokenExpired
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
    """The form as it was filled in, before it is checked."""

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
    """Store the form for `LINK_LIFETIME` and mail a link to its address, or, if that has an account, a mail that says so.

    Raises `InvalidInput` or `HandleInvalid` for a wrong form, whatever the address, `RateLimited`, and `HandleTaken`. The handle is
    not taken yet: that happens when the link is followed.
    """
    email = parse_email(form.email_address, path=("input", "emailAddress"))
    check_new_password(form.password, path=("input", "password"))
    form = replace(
        form,
        handle=check_handle(form.handle, path=("input", "handle")) if form.handle is not None else None,
        first_name=optional_line(form.first_name, "A name", at_most=MOST_NAME_CHARACTERS, path=("input", "firstName")),
        last_name=optional_line(form.last_name, "A name", at_most=MOST_NAME_CHARACTERS, path=("input", "lastName")),
    )
    await count_attempt(database, limits, (PER_ADDRESS, email.key), (PER_NETWORK, network_of(remote_address)))
    if form.handle is not None:
        async with database.read() as session:
            await require_free_handle(session, keys.abuse_key, form.handle, path=("input", "handle"))
    password_hash = await passwords.hash(form.password)

    async def keep(session: Session) -> None:
        token = new_token()
        await user_store.add_sign_up(session, _sign_up_row(session, form, email, password_hash, token))
        if await user_store.is_verified_address(session, email.key):
            mail = message_texts.already_registered(email.address)
        else:
            link = f"{public_url}/verify-email?token={quote(token)}"
            mail = message_texts.confirm_address(email.address, link, LINK_LIFETIME, asked_at=session.real_now)
        queue_mail(session, mail, keys.mail)

    await transact(database, keep, step="sign-up")


@dataclass(frozen=True, slots=True)
class Verified:
    """The user whose address is verified now and, if their account was made by that, the session opened for them."""

    user_id: UUID
    opened: OpenedSession | None


async def verify_email(
    database: Database,
    keys: Keys,
    token: str,
    *,
    user_agent: str | None,
    replaces: str | None = None,
    before_opening: Callable[[], None] | None = None,
    milestones: Milestones | None = None,
) -> Verified:
    """Use the token of a mailed link: make the account, its workspace and a session in one transaction, or verify an added address.

    A session that is opened takes the place of `replaces` (see `open_session`); `milestones` are told of the address.
    `before_opening` is called if the link is one that makes an account and opens a session; when it raises, the link can be used
    again. Raises `TokenExpired` for a token that is unknown, used or older than `LINK_LIFETIME`, and `EmailTaken` when an account
    has verified the address meanwhile: another, or one made by another link to this address.
    """

    async def follow(session: Session) -> Verified:
        pending = await user_store.take_sign_up(session, token_hash(token), at=session.real_now)
        if pending is not None:
            if before_opening is not None:
                before_opening()
            user = await create_user(session, keys.abuse_key, _new_user(pending), milestones)
            opened = await open_session(session, user.id, user_agent, replaces=replaces)
            return Verified(opened.user_id, opened)
        user_id = await follow_verification(session, keys, token, milestones)
        if user_id is None:
            raise TokenExpired(path=("input", "token"))
        return Verified(user_id, None)

    try:
        return await transact(database, follow, step="verify-email")
    except EmailTaken:
        raise EmailTaken(path=("input", "token")) from None


def _new_user(pending: SignUpRow) -> NewUser:
    return NewUser(
        email=EmailAddress(pending.address, pending.address_key),
        password_hash=pending.password_hash,
        handle=pending.handle,
        first_name=pending.first_name,
        last_name=pending.last_name,
    )


def _sign_up_row(session: Session, form: SignUp, email: EmailAddress, password_hash: str, token: str) -> SignUpRow:
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
