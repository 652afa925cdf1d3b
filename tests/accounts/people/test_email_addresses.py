"""A user's e-mail addresses."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from app.accounts.access.callers import UserCaller
from app.accounts.people import email_addresses
from app.accounts.people.email_addresses import (
    LINK_LIFETIME,
    MOST_ADDRESSES,
    PER_ADDRESS,
    AddressVerified,
    PrimaryEmail,
)
from app.accounts.people.sign_in import sign_in
from app.accounts.people.sign_up import SignUp, sign_up, verify_email
from app.accounts.people.users import emails_of
from app.accounts.security.rate_limits import RateLimits
from app.accounts.security.shared_errors import EmailTaken, EmailUnverified, TokenExpired, WrongCredentials
from app.db.engine import Database
from app.db.tables.people import EmailRow
from app.db.unit_of_work import transact
from app.errors import InvalidInput, NotFound, RateLimited
from app.wording import duration
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    LIMITS_ON,
    PASSWORD,
    Person,
    at_later,
    new_address,
    new_network,
    new_person,
    queued_mails,
    quick_passwords,
    token_of,
)

_URL = "https://accounts.example.com"


async def _add(database: Database, person: Person, address: str, limits: RateLimits = LIMITS_OFF) -> EmailRow:
    network = new_network()
    return await email_addresses.add_email(
        database, KEYS, limits, person.caller, address, remote_address=network, public_url=_URL
    )


async def _token(database: Database, address: str) -> str:
    return token_of((await queued_mails(database, address))[-1])


async def _sign_up_token(database: Database, address: str) -> str:
    form = SignUp(email_address=address, password=PASSWORD)
    await sign_up(database, quick_passwords(), KEYS, LIMITS_OFF, form, remote_address=new_network(), public_url=_URL)
    return await _token(database, address)


async def _verify(database: Database, token: str) -> UUID:
    verified = await verify_email(database, KEYS, token, user_agent=None)
    assert verified.opened is None
    return verified.user_id


async def _addresses(database: Database, caller: UserCaller) -> list[tuple[str, bool, bool]]:
    async with database.read() as session:
        rows = await emails_of(session, caller.user_id)
    return [(row.address, row.is_primary, row.verified_at is not None) for row in rows]


async def test_an_added_address_is_verified_when_its_link_is_followed(database: Database) -> None:
    person, address = await new_person(database), new_address()
    row = await _add(database, person, address)
    assert (row.is_primary, row.verified_at) == (False, None)
    assert await _verify(database, await _token(database, address)) == person.user.id
    assert (address, False, True) in await _addresses(database, person.caller)


async def test_the_mailed_link_says_which_account_may_use_the_address_by_it(database: Database) -> None:
    person, address = await new_person(database), new_address()
    row = await _add(database, person, address)
    await email_addresses.send_verification(
        database, KEYS, LIMITS_OFF, person.caller, row.id, remote_address=new_network(), public_url=_URL
    )
    mails = await queued_mails(database, address)
    assert len(mails) == 2
    for mail in mails:
        assert f'the account with the User ID "{person.user.handle}"' in mail.text
        assert "lets that account use this address" in mail.text
        assert f"within {duration(LINK_LIFETIME)}." in mail.text


async def test_a_verified_address_is_mailed_no_other_link(database: Database) -> None:
    address = new_address()
    person = await new_person(database, address=address)
    async with database.read() as session:
        [row] = await emails_of(session, person.user.id)
    with pytest.raises(AddressVerified):
        await email_addresses.send_verification(
            database, KEYS, LIMITS_OFF, person.caller, row.id, remote_address=new_network(), public_url=_URL
        )
    assert await queued_mails(database, address) == []


async def test_an_unverified_address_neither_signs_in_nor_becomes_primary(database: Database) -> None:
    person, address = await new_person(database), new_address()
    row = await _add(database, person, address)
    with pytest.raises(EmailUnverified):
        await transact(database, lambda session: email_addresses.set_primary(session, KEYS, person.caller, row.id))
    with pytest.raises(WrongCredentials):
        await sign_in(
            database,
            quick_passwords(),
            LIMITS_OFF,
            address,
            "any password at all",
            remote_address="192.0.2.1",
            user_agent=None,
        )
    assert (address, False, False) in await _addresses(database, person.caller)


async def test_a_link_works_once_and_for_24_hours(database: Database) -> None:
    person, address = await new_person(database), new_address()
    await _add(database, person, address)
    token = await _token(database, address)
    with pytest.raises(TokenExpired):
        await _verify(at_later(database, timedelta(hours=24, seconds=1)), token)
    await _verify(database, token)
    with pytest.raises(TokenExpired):
        await _verify(database, token)


async def test_an_address_of_another_account_is_answered_and_mailed_alike(database: Database) -> None:
    taken, free = new_address(), new_address()
    await new_person(database, address=taken)
    person = await new_person(database)
    rows = [await _add(database, person, address) for address in (taken, free)]
    assert [(row.is_primary, row.verified_at) for row in rows] == [(False, None)] * 2
    mails = [(await queued_mails(database, address))[-1] for address in (taken, free)]
    assert len({mail.subject for mail in mails}) == 1
    # only the holder of the mailed link learns it
    with pytest.raises(EmailTaken):
        await _verify(database, token_of(mails[0]))
    assert (taken, False, False) in await _addresses(database, person.caller)


async def test_of_many_who_prove_an_address_at_once_one_gets_it(database: Database) -> None:
    address, people = new_address(), [await new_person(database) for _ in range(6)]
    tokens: list[str] = []
    for person in people:
        await _add(database, person, address)
        tokens.append(await _token(database, address))
    outcomes = await asyncio.gather(*(_verify(database, token) for token in tokens), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["EmailTaken"] * 5 + ["UUID"]


async def test_the_former_primary_address_gets_a_mail_and_can_then_be_removed(database: Database) -> None:
    first, second = new_address(), new_address()
    person = await new_person(database, address=first)
    row = await _add(database, person, second)
    await _verify(database, await _token(database, second))
    changed = await transact(
        database, lambda session: email_addresses.set_primary(session, KEYS, person.caller, row.id)
    )
    assert changed.is_primary
    assert "primary" in (await queued_mails(database, first))[-1].subject
    async with database.read() as session:
        former = next(each for each in await emails_of(session, person.user.id) if each.address == first)
    await transact(database, lambda session: email_addresses.remove_email(session, KEYS, person.caller, former.id))
    assert await _addresses(database, person.caller) == [(second, True, True)]


async def test_the_primary_address_gets_one_mail_when_another_one_is_verified(database: Database) -> None:
    first, second = new_address(), new_address()
    person = await new_person(database, address=first)
    await _add(database, person, second)
    await _add(database, person, second)
    assert await queued_mails(database, first) == []
    for mail in await queued_mails(database, second):
        await _verify(database, token_of(mail))
    [mail] = await queued_mails(database, first)
    assert mail.subject == "An e-mail address was added to your account"
    assert person.user.handle in mail.text
    assert second not in mail.text


async def test_the_first_address_of_an_account_is_verified_without_another_mail(database: Database) -> None:
    address = new_address()
    token = await _sign_up_token(database, address)
    assert (await verify_email(database, KEYS, token, user_agent=None)).opened is not None
    assert len(await queued_mails(database, address)) == 1


async def test_a_link_that_is_refused_sends_no_mail_to_the_primary_address(database: Database) -> None:
    first, second = new_address(), new_address()
    person = await new_person(database, address=first)
    await _add(database, person, second)
    await new_person(database, address=second)
    with pytest.raises(EmailTaken):
        await _verify(database, await _token(database, second))
    assert await queued_mails(database, first) == []


async def test_a_verified_address_that_is_removed_gets_a_mail_and_so_does_the_primary_one(database: Database) -> None:
    first, second = new_address(), new_address()
    person = await new_person(database, address=first)
    row = await _add(database, person, second)
    await _verify(database, await _token(database, second))
    await transact(database, lambda session: email_addresses.remove_email(session, KEYS, person.caller, row.id))
    removed, primary = (await queued_mails(database, second))[-1], (await queued_mails(database, first))[-1]
    assert removed.subject == "This e-mail address was removed from your account"
    assert primary.subject == "An e-mail address was removed from your account"
    assert all(person.user.handle in mail.text for mail in (removed, primary))
    assert second not in primary.text
    assert first not in removed.text


async def test_removing_an_address_that_nobody_verified_is_mailed_to_nobody(database: Database) -> None:
    first, second = new_address(), new_address()
    person = await new_person(database, address=first)
    row = await _add(database, person, second)
    await transact(database, lambda session: email_addresses.remove_email(session, KEYS, person.caller, row.id))
    assert len(await queued_mails(database, second)) == 1
    assert await queued_mails(database, first) == []


async def test_each_step_of_taking_over_an_account_by_its_addresses_is_mailed_to_the_owner(database: Database) -> None:
    victims, thiefs = new_address(), new_address()
    person = await new_person(database, address=victims)
    row = await _add(database, person, thiefs)
    await _verify(database, await _token(database, thiefs))
    await transact(database, lambda session: email_addresses.set_primary(session, KEYS, person.caller, row.id))
    async with database.read() as session:
        former = next(each for each in await emails_of(session, person.user.id) if each.address == victims)
    await transact(database, lambda session: email_addresses.remove_email(session, KEYS, person.caller, former.id))
    assert [mail.subject for mail in await queued_mails(database, victims)] == [
        "An e-mail address was added to your account",
        "Your primary e-mail address was changed",
        "This e-mail address was removed from your account",
    ]


async def test_the_primary_address_cannot_be_removed(database: Database) -> None:
    person = await new_person(database)
    async with database.read() as session:
        [primary] = await emails_of(session, person.user.id)
    with pytest.raises(PrimaryEmail):
        await transact(database, lambda session: email_addresses.remove_email(session, KEYS, person.caller, primary.id))
    assert len(await _addresses(database, person.caller)) == 1


async def test_the_addresses_of_others_are_not_found(database: Database) -> None:
    person, other = await new_person(database), await new_person(database)
    async with database.read() as session:
        [theirs] = await emails_of(session, other.user.id)
    with pytest.raises(NotFound):
        await transact(database, lambda session: email_addresses.remove_email(session, KEYS, person.caller, theirs.id))
    with pytest.raises(NotFound):
        await transact(database, lambda session: email_addresses.set_primary(session, KEYS, person.caller, theirs.id))
    assert len(await _addresses(database, other.caller)) == 1


async def test_an_account_has_at_most_ten_addresses(database: Database) -> None:
    person = await new_person(database)
    for _ in range(MOST_ADDRESSES - 1):
        await _add(database, person, new_address())
    extra = new_address()
    with pytest.raises(InvalidInput):
        await _add(database, person, extra)
    assert len(await _addresses(database, person.caller)) == MOST_ADDRESSES
    assert await queued_mails(database, extra) == []


async def test_the_same_address_again_is_mailed_another_link(database: Database) -> None:
    person, address = await new_person(database), new_address()
    assert (await _add(database, person, address)).id == (await _add(database, person, address.upper())).id
    assert len(await queued_mails(database, address)) == 2


async def test_links_to_one_address_are_limited_whoever_asks(database: Database) -> None:
    address = new_address()
    for _ in range(PER_ADDRESS.most):
        await _add(database, await new_person(database), address, LIMITS_ON)
    person = await new_person(database)
    with pytest.raises(RateLimited):
        await _add(database, person, address, LIMITS_ON)
    assert len(await _addresses(database, person.caller)) == 1
