"""The free trial is had once by each person, by whatever road they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import select

from app.accounts.people import email_addresses
from app.accounts.people.sign_up import SignUp, sign_up
from app.accounts.security.secrets import Keys, derive_keys
from app.billing.subscriptions.trials import REMEMBERED_FOR, Trials, mailbox_of
from app.db.engine import Database, Session
from app.db.tables.trials import TrialUseRow
from app.db.unit_of_work import transact
from app.store import email_addresses as email_address_store
from app.store import trial_uses as trial_use_store
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    PASSWORD,
    SECRET_KEY,
    at_later,
    new_address,
    new_network,
    new_person,
    quick_passwords,
)
from tests.support.oidc import issuer_double
from tests.support.trials import (
    CATALOG,
    DAY,
    TRIAL,
    Provider,
    check,
    come,
    delete_account,
    follow_sign_up,
    has_trial,
    is_on_trial,
    verify_address,
)


@pytest_asyncio.fixture
async def provider() -> AsyncGenerator[Provider]:
    """An identity provider for this test only."""
    async with issuer_double() as double, double.issuer() as issuer:
        yield Provider(double, issuer)


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("ada@example.com", "ada@example.com"),
        ("ada+one@example.com", "ada@example.com"),
        ("ada+one+two@example.com", "ada@example.com"),
        ("a.da@example.com", "a.da@example.com"),
        ("a.d.a+x@gmail.com", "ada@gmail.com"),
        ("a.da@googlemail.com", "ada@gmail.com"),
        ("+ada@example.com", "+ada@example.com"),
        ("+ada+x@example.com", "+ada@example.com"),
    ],
)
def test_a_mailbox_counts_once_however_its_address_is_written(address: str, mailbox: str) -> None:
    assert mailbox_of(address) == mailbox


@pytest.mark.parametrize("form", ["{}+2@example.com", "{}+news+x@example.com"])
async def test_a_plus_address_gives_no_second_trial(database: Database, form: str) -> None:
    name = uuid4().hex
    first = await come(database, f"{name}@example.com")
    assert await has_trial(database, first.user.id)
    await delete_account(database, first.user.id)
    assert not await has_trial(database, await follow_sign_up(database, form.format(name)))


async def test_dots_and_the_other_name_of_gmail_give_no_second_trial(database: Database) -> None:
    name = uuid4().hex
    await come(database, f"{name}@gmail.com")
    assert not await has_trial(database, (await come(database, f"{name[:3]}.{name[3:]}@gmail.com")).user.id)
    assert not await has_trial(database, (await come(database, f"{name}@googlemail.com")).user.id)


async def test_a_deleted_account_and_a_new_one_have_one_trial_together(database: Database) -> None:
    address = new_address()
    first = await follow_sign_up(database, address)
    assert await has_trial(database, first)
    await delete_account(database, first)
    second = await follow_sign_up(database, address)
    assert second != first
    assert not await has_trial(database, second)


async def test_signing_in_through_the_provider_after_a_deletion_gives_no_second_trial(
    database: Database, provider: Provider
) -> None:
    address = new_address()
    await delete_account(database, (await come(database, address)).user.id)
    assert not await has_trial(database, await provider.sign_in(database, email=address))


async def test_of_two_accounts_of_one_mailbox_at_the_same_moment_one_has_the_trial(database: Database) -> None:
    name = uuid4().hex
    people = await asyncio.gather(*(come(database, f"{name}+{number}@example.com") for number in range(6)))
    assert sorted([await has_trial(database, each.user.id) for each in people]) == [False] * 5 + [True]


async def test_an_address_added_later_gives_no_second_trial_here_nor_in_another_account(database: Database) -> None:
    person, address = await come(database), new_address()
    personal = person.user.personal_workspace_id
    later = at_later(database, TRIAL)
    await check(later, personal)
    email_id = await verify_address(later, person.caller, address)
    assert not await is_on_trial(later, personal)
    await transact(later, lambda session: email_addresses.remove_email(session, KEYS, person.caller, email_id))
    assert not await has_trial(later, (await come(later, address)).user.id)


async def test_another_primary_address_gives_no_second_trial_nor_does_the_former_one(database: Database) -> None:
    former, address = new_address(), new_address()
    person = await come(database, former)
    email_id = await verify_address(database, person.caller, address)
    ended = at_later(database, TRIAL)

    async def change(session: Session) -> None:
        before = await email_address_store.primary(session, person.user.id)
        assert before is not None
        await email_addresses.set_primary(session, KEYS, person.caller, email_id)
        await email_addresses.remove_email(session, KEYS, person.caller, before.id)

    await transact(ended, change)
    assert not await is_on_trial(ended, person.user.personal_workspace_id)
    assert not await has_trial(ended, (await come(ended, former)).user.id)
    await delete_account(ended, person.user.id)
    assert not await has_trial(ended, (await come(ended, address)).user.id)


async def test_an_account_that_was_refused_a_trial_gets_none_by_a_fresh_address(database: Database) -> None:
    address, fresh = new_address(), new_address()
    await delete_account(database, (await come(database, address)).user.id)
    again = await come(database, address)
    email_id = await verify_address(database, again.caller, fresh)
    assert not await has_trial(database, again.user.id)
    await transact(database, lambda session: email_addresses.remove_email(session, KEYS, again.caller, email_id))
    assert not await has_trial(database, (await come(database, fresh)).user.id)


async def test_another_address_at_the_provider_gives_no_second_trial(database: Database, provider: Provider) -> None:
    address, moved, subject = new_address(), new_address(), uuid4().hex
    await delete_account(database, (await come(database, address)).user.id)
    user_id = await provider.sign_in(database, sub=subject, email=address)
    assert not await has_trial(database, user_id)
    assert await provider.sign_in(database, sub=subject, email=moved) == user_id
    assert not await has_trial(database, user_id)
    await delete_account(database, user_id)
    assert not await has_trial(database, (await come(database, moved)).user.id)


async def test_an_address_that_was_only_claimed_uses_nobodys_trial_up(database: Database) -> None:
    person, victim = await come(database), new_address()
    await email_addresses.add_email(
        database,
        KEYS,
        LIMITS_OFF,
        person.caller,
        victim,
        remote_address=new_network(),
        public_url="https://accounts.example.com",
    )
    assert await has_trial(database, (await come(database, victim)).user.id)


async def test_a_sign_up_that_was_not_confirmed_uses_nobodys_trial_up(database: Database) -> None:
    address = new_address()
    form = SignUp(email_address=address, password=PASSWORD)
    await sign_up(
        database,
        quick_passwords(),
        KEYS,
        LIMITS_OFF,
        form,
        remote_address=new_network(),
        public_url="https://accounts.example.com",
    )
    assert await has_trial(database, await follow_sign_up(database, address))


async def test_who_had_a_trial_is_remembered_by_hashes_alone_for_three_years_after_they_came_last(
    fresh_database: Database,
) -> None:
    address = new_address()
    person = await come(fresh_database, address)
    await delete_account(fresh_database, person.user.id)
    async with fresh_database.read() as session:
        rows = (await session.scalars(select(TrialUseRow))).all()
        kept = repr([(row.identity_hash, row.kept_until) for row in rows])
    assert address not in kept
    assert str(person.user.id) not in kept
    assert {len(row.identity_hash) for row in rows} == {32}
    almost = at_later(fresh_database, REMEMBERED_FOR - DAY)
    await transact(almost, trial_use_store.forget_lapsed)
    again = await come(almost, address)
    assert not await has_trial(almost, again.user.id)
    await delete_account(almost, again.user.id)
    much_later = at_later(fresh_database, 2 * REMEMBERED_FOR)
    assert await has_trial(much_later, (await come(much_later, address)).user.id)


@pytest.mark.parametrize(
    "keys",
    [derive_keys(SECRET_KEY, "a pepper for tests only"), derive_keys("another secret", "a pepper", [SECRET_KEY])],
    ids=["a first pepper", "a former one"],
)
async def test_who_had_a_trial_is_known_under_another_pepper_and_hashed_anew(database: Database, keys: Keys) -> None:
    address = new_address()
    await delete_account(database, (await come(database, address)).user.id)
    moved = Trials(CATALOG, keys.abuse_key)
    again = await new_person(database, address=address, milestones=moved)
    assert not await has_trial(database, again.user.id)
    present, former = keys.abuse_key.hash("trial-mailbox", address), KEYS.abuse_key.hash("trial-mailbox", address)
    async with database.read() as session:
        assert await trial_use_store.is_any_known(session, [present])
        assert not await trial_use_store.is_any_known(session, [former])
