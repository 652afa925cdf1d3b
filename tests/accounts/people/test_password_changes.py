"""Changing a password, and resetting one by a mailed link."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import text

from app.accounts.access.callers import ANONYMOUS, UserCaller
from app.accounts.people import password_changes
from app.accounts.people.email_addresses import add_email, remove_email
from app.accounts.people.email_syntax import parse_email
from app.accounts.people.password_changes import LINK_LIFETIME, MAIL_RESET_LINK, TRIES_PER_USER
from app.accounts.people.sessions import OpenedSession, open_session
from app.accounts.people.sign_in import PER_ADDRESS, PER_ADDRESS_AND_NETWORK, PER_NETWORK, sign_in
from app.accounts.people.users import NewUser, create_user
from app.accounts.security.passwords import Passwords
from app.accounts.security.shared_errors import TokenExpired, WrongCredentials
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.errors import InvalidInput, RateLimited
from app.messages.mail import Mail, decrypt
from app.wording import duration
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    PASSWORD,
    CountingHasher,
    Person,
    at_later,
    authenticate,
    new_address,
    new_network,
    new_person,
    queued_mails,
    quick_passwords,
    token_of,
)

_URL = "https://accounts.example.com"
_NEW = "another horse entirely"
_QUICK = quick_passwords()


async def _with_password(database: Database, address: str) -> Person:
    hashed = await _QUICK.hash(PASSWORD)

    async def make(session: Session) -> Person:
        user = await create_user(session, KEYS.abuse_key, NewUser(email=parse_email(address), password_hash=hashed))
        opened = await open_session(session, user.id, "a test")
        return Person(user, UserCaller(user.id, opened.session_id), opened.token)

    return await transact(database, make)


async def _another_session(database: Database, person: Person) -> str:
    return (await transact(database, lambda session: open_session(session, person.user.id, "elsewhere"))).token


async def _change(database: Database, person: Person, current: str, new: str = _NEW) -> None:
    await password_changes.change_password(database, _QUICK, KEYS, LIMITS_OFF, person.caller, current, new)


async def _signs_in(database: Database, address: str, password: str) -> bool:
    try:
        await sign_in(database, _QUICK, LIMITS_OFF, address, password, remote_address="192.0.2.1", user_agent="a test")
    except WrongCredentials:
        return False
    return True


async def _request(database: Database, address: str) -> None:
    await password_changes.request_reset(database, KEYS, LIMITS_OFF, address, remote_address="192.0.2.1")


async def _mailed(database: Database, address: str) -> Mail:
    await password_changes.mail_reset_link(database, KEYS, address, public_url=_URL)
    return (await queued_mails(database, address))[-1]


async def _reset(database: Database, token: str, *, passwords: Passwords = _QUICK) -> OpenedSession:
    return await password_changes.reset_password(
        database, passwords, KEYS, LIMITS_OFF, token, _NEW, user_agent="a test"
    )


async def test_a_changed_password_replaces_the_old_one_and_ends_the_other_sessions(database: Database) -> None:
    address = new_address()
    person = await _with_password(database, address)
    elsewhere = await _another_session(database, person)
    await _change(database, person, PASSWORD)
    assert await authenticate(database, person.token) == person.caller
    assert await authenticate(database, elsewhere) == ANONYMOUS
    assert [await _signs_in(database, address, each) for each in (PASSWORD, _NEW)] == [False, True]
    assert "changed" in (await queued_mails(database, address))[-1].subject


async def test_a_wrong_current_password_changes_nothing(database: Database) -> None:
    address = new_address()
    person = await _with_password(database, address)
    elsewhere = await _another_session(database, person)
    with pytest.raises(WrongCredentials) as refused:
        await _change(database, person, "not the password")
    assert refused.value.path == ("input", "currentPassword")
    assert await authenticate(database, elsewhere) != ANONYMOUS
    assert await _signs_in(database, address, PASSWORD)


async def test_the_error_of_an_account_without_a_password_says_how_to_set_one(database: Database) -> None:
    person = await new_person(database)
    with pytest.raises(WrongCredentials, match="Set one by the link"):
        await _change(database, person, "anything at all")


@pytest.mark.parametrize("password", ["x" * 9, "x" * 257])
async def test_a_new_password_has_10_to_256_characters(database: Database, password: str) -> None:
    address = new_address()
    person = await _with_password(database, address)
    with pytest.raises(InvalidInput):
        await _change(database, person, PASSWORD, password)
    assert await _signs_in(database, address, PASSWORD)


async def test_wrong_current_passwords_are_limited_and_right_ones_are_not(database: Database) -> None:
    person = await _with_password(database, new_address())
    for _ in range(TRIES_PER_USER.most):
        await _change(database, person, PASSWORD, PASSWORD)
    for _ in range(TRIES_PER_USER.most):
        with pytest.raises(WrongCredentials):
            await _change(database, person, "not the password")
    with pytest.raises(RateLimited):
        await _change(database, person, PASSWORD)


async def test_a_right_current_password_clears_what_mistakes_counted(database: Database) -> None:
    person = await _with_password(database, new_address())
    for _ in range(2):
        for _ in range(TRIES_PER_USER.most - 1):
            with pytest.raises(WrongCredentials):
                await _change(database, person, "not the password")
        await _change(database, person, PASSWORD, PASSWORD)


async def _reset_by_mail(database: Database, address: str) -> OpenedSession:
    return await _reset(database, token_of(await _mailed(database, address)))


async def test_a_successful_reset_clears_the_count_of_failed_sign_ins(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = PER_ADDRESS_AND_NETWORK.most
    monkeypatch.setattr("app.accounts.people.sign_in.PER_ADDRESS", replace(PER_ADDRESS, most=most))
    address, network = new_address(), new_network()
    await _with_password(database, address)

    async def tried(password: str, *, network: str = network) -> bool:
        try:
            await sign_in(database, _QUICK, LIMITS_OFF, address, password, remote_address=network, user_agent="a test")
        except WrongCredentials:
            return False
        return True

    assert not any([await tried("not the password") for _ in range(most)])
    for each in (network, new_network()):
        with pytest.raises(RateLimited):
            await tried(PASSWORD, network=each)
    await _reset_by_mail(database, address)
    assert await tried(_NEW)
    assert await tried(_NEW, network=new_network())
    # and what comes after it is counted anew
    assert not any([await tried("not the password") for _ in range(most)])
    with pytest.raises(RateLimited):
        await tried(_NEW)


async def test_a_successful_reset_clears_the_count_of_wrong_current_passwords(database: Database) -> None:
    address = new_address()
    person = await _with_password(database, address)
    for _ in range(TRIES_PER_USER.most):
        with pytest.raises(WrongCredentials):
            await _change(database, person, "not the password")
    await _reset_by_mail(database, address)
    await _change(database, person, _NEW, PASSWORD)


async def test_a_reset_clears_no_count_of_the_network(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.accounts.people.sign_in.PER_NETWORK", replace(PER_NETWORK, most=3))
    address, network = new_address(), new_network()
    await _with_password(database, address)
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            await sign_in(
                database, _QUICK, LIMITS_OFF, new_address(), "x" * 10, remote_address=network, user_agent="a test"
            )
    await _reset_by_mail(database, address)
    with pytest.raises(RateLimited):
        await sign_in(database, _QUICK, LIMITS_OFF, address, _NEW, remote_address=network, user_agent="a test")


async def test_of_two_changes_at_once_one_is_made_and_the_others_current_password_is_wrong_by_then(
    database: Database,
) -> None:
    both_have_checked = asyncio.Barrier(2)

    class AtOnce(Passwords):
        async def hash(self, password: str) -> str:
            await both_have_checked.wait()
            return await _QUICK.hash(password)

    person = await _with_password(database, new_address())
    passwords = AtOnce(CountingHasher())
    outcomes = await asyncio.gather(
        *(
            password_changes.change_password(database, passwords, KEYS, LIMITS_OFF, person.caller, PASSWORD, new)
            for new in ("the first of two", "the second of two")
        ),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "WrongCredentials"]
    [refusal] = [each for each in outcomes if isinstance(each, WrongCredentials)]
    assert (refusal.message, refusal.path) == ("This is not your password.", ("input", "currentPassword"))


async def test_a_reset_link_sets_a_password_ends_every_session_and_signs_in(database: Database) -> None:
    address = new_address()
    person = await _with_password(database, address)
    mail = await _mailed(database, address)
    assert mail.links[0].startswith(f"{_URL}/reset-password?token=")
    assert f"within {duration(LINK_LIFETIME)}." in mail.text
    opened = await _reset(database, token_of(mail))
    assert await authenticate(database, person.token) == ANONYMOUS
    assert await authenticate(database, opened.token) == UserCaller(person.user.id, opened.session_id)
    assert [await _signs_in(database, address, each) for each in (PASSWORD, _NEW)] == [False, True]


async def test_a_reset_link_works_once_for_an_hour_and_not_after_a_later_one_did(database: Database) -> None:
    address = new_address()
    await _with_password(database, address)
    first, second = token_of(await _mailed(database, address)), token_of(await _mailed(database, address))
    with pytest.raises(TokenExpired):
        await _reset(at_later(database, timedelta(hours=1, seconds=1)), first)
    await _reset(database, second)
    for token in (first, second):
        with pytest.raises(TokenExpired):
            await _reset(database, token)


async def test_two_who_follow_a_reset_link_at_once_reset_once(database: Database) -> None:
    address = new_address()
    await _with_password(database, address)
    token = token_of(await _mailed(database, address))
    outcomes = await asyncio.gather(*(_reset(database, token) for _ in range(4)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["OpenedSession"] + ["TokenExpired"] * 3


async def test_a_made_up_reset_link_costs_no_hash(database: Database) -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    before = hasher.computed
    with pytest.raises(TokenExpired):
        await _reset(database, "made-up", passwords=passwords)
    assert hasher.computed == before


async def test_a_reset_link_is_no_link_to_verify_an_address_nor_the_other_way_round(database: Database) -> None:
    address, added = new_address(), new_address()
    person = await _with_password(database, address)
    await add_email(database, KEYS, LIMITS_OFF, person.caller, added, remote_address="192.0.2.1", public_url=_URL)
    with pytest.raises(TokenExpired):
        await _reset(database, token_of((await queued_mails(database, added))[-1]))
    assert await _signs_in(database, address, PASSWORD)


async def test_removing_an_address_makes_reset_links_useless(database: Database) -> None:
    address, added = new_address(), new_address()
    person = await _with_password(database, address)
    row = await add_email(database, KEYS, LIMITS_OFF, person.caller, added, remote_address="192.0.2.1", public_url=_URL)
    token = token_of(await _mailed(database, address))
    await transact(database, lambda session: remove_email(session, KEYS, person.caller, row.id))
    with pytest.raises(TokenExpired):
        await _reset(database, token)


async def test_an_unknown_address_is_asked_for_alike_and_only_its_reader_learns_it(fresh_database: Database) -> None:
    known, unknown = new_address(), new_address()
    await _with_password(fresh_database, known)
    for address in (known, unknown):
        await _request(fresh_database, address)
    # the same single job each: whether there is an account is looked at by the worker
    async with fresh_database.read() as session:
        rows = (await session.execute(text("SELECT entrypoint, payload FROM pgqueuer ORDER BY id"))).all()
    assert [row.entrypoint for row in rows] == [MAIL_RESET_LINK] * 2
    assert [decrypt(orjson.loads(row.payload), KEYS.mail) for row in rows] == [known, unknown]
    assert all(address.encode() not in row.payload for row in rows for address in (known, unknown))
    mail = await _mailed(fresh_database, unknown)
    assert mail.links == ()
    assert "no account" in mail.subject
