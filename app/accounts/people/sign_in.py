"""Signing in with e-mail address and password."""

from __future__ import annotations

from app.accounts.people.email_syntax import EmailAddress, parse_email
from app.accounts.people.sessions import OpenedSession, open_session
from app.accounts.security.passwords import Passwords
from app.accounts.security.rate_limits import Limit, RateLimits, count_attempt, network_of, uncount_attempt
from app.accounts.security.shared_errors import WrongCredentials
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from app.store import users as user_store

# Count failures only: an attempt that succeeds is taken back. Someone else's failures, from another network, keep the holder of an
# address out only when there are many of them: a limit per address is needed against those who guess from many networks.
PERIOD_SECONDS = 900
PER_ADDRESS_AND_NETWORK = Limit(
    "sign-in:address-network",
    most=10,
    per_seconds=PERIOD_SECONDS,
    always_on=True,
    ends_with_success=True,
    can_be_cleared=True,
)
PER_ADDRESS = Limit("sign-in:address", most=100, per_seconds=PERIOD_SECONDS, always_on=True, can_be_cleared=True)
PER_NETWORK = Limit("sign-in:network", most=100, per_seconds=PERIOD_SECONDS, always_on=True)

# looked up where the input is no address, so that the answer takes the same time
_KEY_OF_NO_ADDRESS = ""


async def sign_in(
    database: Database,
    passwords: Passwords,
    limits: RateLimits,
    email_address: str,
    password: str,
    *,
    remote_address: str,
    user_agent: str | None,
    replaces: str | None = None,
) -> OpenedSession:
    """Open a session for the account with this verified address and this password, in the place of `replaces` (see `open_session`).

    Raises `WrongCredentials` for a wrong password and, after the same work, for an address that is unknown, not verified or no
    address at all; `RateLimited` after too many failures, which are counted for unknown addresses too: those for the address from
    this network, those for the address from anywhere, and those from this network. A new password clears the first two.
    """
    email = _email_of(email_address)
    whose = email.key if email is not None else email_address
    network = network_of(remote_address)
    attempt = await count_attempt(
        database,
        limits,
        (PER_ADDRESS_AND_NETWORK, f"{network} {whose}"),
        (PER_ADDRESS, whose),
        (PER_NETWORK, network),
        subject=whose,
    )
    async with database.read() as session:
        found = await user_store.credentials(session, email.key if email is not None else _KEY_OF_NO_ADDRESS)
    user_id, password_hash = found if found is not None else (None, None)
    checked = await passwords.check(password, password_hash)
    if user_id is None or password_hash is None or not checked.is_right:
        raise WrongCredentials

    async def open_unless_changed(session: Session) -> OpenedSession:
        # since the check the password may have been changed, which ends the sessions opened with the old one
        if not await user_store.lock_password(session, user_id, password_hash):
            raise WrongCredentials
        if checked.rehashed is not None:
            await user_store.set_password(session, user_id, checked.rehashed)
        return await open_session(session, user_id, user_agent, replaces=replaces)

    opened = await transact(database, open_unless_changed, step="sign-in")
    await uncount_attempt(database, attempt)
    return opened


def _email_of(text: str) -> EmailAddress | None:
    try:
        return parse_email(text)
    except InvalidInput:
        return None
