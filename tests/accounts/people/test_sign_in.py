"""Signing in: everything that is wrong gives the same answer after the same work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func, select, update

from app.accounts.access.callers import UserCaller
from app.accounts.people.email_syntax import parse_email
from app.accounts.people.sessions import OpenedSession
from app.accounts.people.sign_in import PER_ADDRESS, PER_ADDRESS_AND_NETWORK, sign_in
from app.accounts.people.sign_up import SignUp, sign_up
from app.accounts.people.users import NewUser, User, create_user
from app.accounts.security.passwords import PasswordCheck, Passwords
from app.accounts.security.rate_limits import Limit, RateLimits
from app.accounts.security.shared_errors import WrongCredentials
from app.db.engine import Database, Session
from app.db.tables.people import SessionRow, UserRow
from app.db.unit_of_work import transact
from app.errors import RateLimited
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    PASSWORD,
    CountingHasher,
    at_later,
    authenticate,
    new_address,
    new_network,
    new_person,
    quick_passwords,
)

_QUICK = quick_passwords()


async def _account(database: Database, address: str) -> User:
    password_hash = await _QUICK.hash(PASSWORD)

    async def make(session: Session) -> User:
        return await create_user(
            session, KEYS.abuse_key, NewUser(email=parse_email(address), password_hash=password_hash)
        )

    return await transact(database, make)


async def _sign_in(
    database: Database,
    address: str,
    password: str = PASSWORD,
    *,
    passwords: Passwords = _QUICK,
    limits: RateLimits = LIMITS_OFF,
    network: str | None = None,
) -> OpenedSession:
    return await sign_in(
        database,
        passwords,
        limits,
        address,
        password,
        remote_address=network or new_network(),
        user_agent="a test",
    )


async def test_address_and_password_open_a_session(database: Database) -> None:
    address = new_address()
    user = await _account(database, address)
    opened = await _sign_in(database, f" {address.upper()} ")
    assert await authenticate(database, opened.token) == UserCaller(user.id, opened.session_id)


async def test_everything_wrong_is_answered_alike_after_the_same_work(database: Database) -> None:
    known, pending, without_password = new_address(), new_address(), new_address()
    await _account(database, known)
    await new_person(database, address=without_password)
    form = SignUp(pending, PASSWORD)
    await sign_up(
        database, _QUICK, KEYS, LIMITS_OFF, form, remote_address=new_network(), public_url="https://example.com"
    )
    attempts = [
        (known, "a wrong password"),
        (known, "x" * 10_000),
        (pending, PASSWORD),
        (without_password, PASSWORD),
        (new_address(), PASSWORD),
        ("no address at all", PASSWORD),
        ("\0", PASSWORD),
    ]
    for address, password in attempts:
        hasher = CountingHasher()
        passwords = Passwords(hasher)
        before = hasher.computed
        with pytest.raises(WrongCredentials) as refused:
            await _sign_in(database, address, password, passwords=passwords)
        assert (refused.value.message, refused.value.path) == (WrongCredentials().message, None)
        assert hasher.computed - before == 1


async def test_a_refused_sign_in_opens_no_session(fresh_database: Database) -> None:
    await _account(fresh_database, "ada@example.com")
    with pytest.raises(WrongCredentials):
        await _sign_in(fresh_database, "ada@example.com", "a wrong password")
    async with fresh_database.read() as session:
        assert await session.scalar(select(func.count()).select_from(SessionRow)) == 0


async def _fail(database: Database, address: str, times: int, *, network: str | None = None) -> None:
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            await _sign_in(database, address, "a wrong password", network=network)


async def test_failures_are_limited_per_address_and_network_alike_for_known_and_unknown_ones(
    database: Database,
) -> None:
    known = new_address()
    await _account(database, known)
    for address in (known, new_address(), f"no address {new_address()} at all"):
        network = new_network()
        await _fail(database, address, PER_ADDRESS_AND_NETWORK.most, network=network)
        with pytest.raises(RateLimited):
            await _sign_in(database, address, network=network)


async def test_failures_from_elsewhere_do_not_keep_the_holder_out(database: Database) -> None:
    address = new_address()
    await _account(database, address)
    await _fail(database, address, PER_ADDRESS_AND_NETWORK.most, network=new_network())
    await _sign_in(database, address)


async def test_failures_from_many_networks_are_limited_by_a_higher_count_per_address(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PER_ADDRESS.most > PER_ADDRESS_AND_NETWORK.most
    most = PER_ADDRESS_AND_NETWORK.most + 2
    monkeypatch.setattr("app.accounts.people.sign_in.PER_ADDRESS", replace(PER_ADDRESS, most=most))
    known = new_address()
    await _account(database, known)
    for address in (known, new_address()):
        await _fail(database, address, most)
        with pytest.raises(RateLimited):
            await _sign_in(database, address)


async def test_a_right_password_clears_what_mistakes_counted_from_there_and_nowhere_else(database: Database) -> None:
    address, network, elsewhere = new_address(), new_network(), new_network()
    await _account(database, address)
    await _fail(database, address, PER_ADDRESS_AND_NETWORK.most, network=elsewhere)
    for _ in range(2):
        await _fail(database, address, PER_ADDRESS_AND_NETWORK.most - 1, network=network)
        await _sign_in(database, address, network=network)
    with pytest.raises(RateLimited):
        await _sign_in(database, address, network=elsewhere)


async def test_failures_are_limited_per_network_address_whatever_the_address(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.people.sign_in.PER_NETWORK", Limit("sign-in:network", 2, 900, always_on=True))
    network = new_network()
    for _ in range(2):
        with pytest.raises(WrongCredentials):
            await _sign_in(database, new_address(), network=network)
    with pytest.raises(RateLimited):
        await _sign_in(database, new_address(), network=network)


async def test_signing_in_rightly_is_not_limited(database: Database) -> None:
    address, network = new_address(), new_network()
    await _account(database, address)
    for _ in range(PER_ADDRESS_AND_NETWORK.most + 1):
        await _sign_in(database, address, network=network)


async def test_the_limit_ends_when_the_oldest_failure_is_15_minutes_ago(database: Database) -> None:
    address, network = new_address(), new_network()
    await _account(database, address)
    await _fail(database, address, PER_ADDRESS_AND_NETWORK.most, network=network)
    with pytest.raises(RateLimited) as refused:
        await _sign_in(database, address, network=network)
    wait = refused.value.extensions["retryAfterSeconds"]
    assert isinstance(wait, int)
    assert 0 < wait <= PER_ADDRESS_AND_NETWORK.per_seconds
    await _sign_in(at_later(database, timedelta(seconds=wait)), address, network=network)


async def test_a_password_is_hashed_again_when_the_parameters_changed(database: Database) -> None:
    address = new_address()
    user = await _account(database, address)
    dearer = Passwords(Argon2Hasher(time_cost=2, memory_cost=16, parallelism=1))
    await _sign_in(database, address, passwords=dearer)
    async with database.read() as session:
        kept = await session.scalar(select(UserRow.password_hash).where(UserRow.id == user.id))
    assert kept is not None
    assert "m=16,t=2" in kept
    await _sign_in(database, address, passwords=dearer)


async def test_a_password_changed_while_it_was_checked_opens_no_session(database: Database) -> None:
    address = new_address()
    user = await _account(database, address)

    class ChangedMeanwhile(Passwords):
        async def check(self, password: str, stored_hash: str | None) -> PasswordCheck:
            checked = await super().check(password, stored_hash)

            async def change(session: Session) -> None:
                await session.execute(update(UserRow).where(UserRow.id == user.id).values(password_hash="another"))

            await transact(database, change)
            return checked

    passwords = ChangedMeanwhile(Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1))
    with pytest.raises(WrongCredentials):
        await _sign_in(database, address, passwords=passwords)
