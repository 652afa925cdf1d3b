"""Which numbers are sent a code, and how often."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.accounts.security.rate_limits import Limit
from app.accounts.workspaces.phone_verification import PER_NETWORK, PER_NUMBER
from app.db.engine import Database
from app.errors import InvalidInput, RateLimited
from tests.support.accounts import (
    LIMITS_ON,
    at_later,
    new_network,
    new_person,
    texted_codes,
)
from tests.support.phones import new_number, phone_for, send


async def test_five_codes_an_hour_are_sent_and_refusals_say_how_long_to_wait(database: Database) -> None:
    person, number = await new_person(database), new_number()
    for _ in range(PER_NUMBER.most):
        await send(database, person.caller, phone_for(person, number), limits=LIMITS_ON)
    with pytest.raises(RateLimited) as refused:
        await send(database, person.caller, phone_for(person, number), limits=LIMITS_ON)
    wait = refused.value.extensions["retryAfterSeconds"]
    assert isinstance(wait, int)
    assert 0 < wait <= PER_NUMBER.per_seconds
    assert len(await texted_codes(database, number)) == PER_NUMBER.most


async def test_codes_are_limited_per_number_whoever_asks(database: Database) -> None:
    number = new_number()
    for _ in range(PER_NUMBER.most):
        person = await new_person(database)
        await send(database, person.caller, phone_for(person, number), limits=LIMITS_ON)
    person = await new_person(database)
    with pytest.raises(RateLimited):
        await send(database, person.caller, phone_for(person, number), limits=LIMITS_ON)


async def test_codes_are_limited_per_workspace_whatever_the_number(database: Database) -> None:
    person = await new_person(database)
    for _ in range(PER_NUMBER.most):
        await send(database, person.caller, phone_for(person, new_number()), limits=LIMITS_ON)
    with pytest.raises(RateLimited):
        await send(database, person.caller, phone_for(person, new_number()), limits=LIMITS_ON)


async def test_codes_are_limited_per_network_address(database: Database) -> None:
    network = new_network()
    for _ in range(PER_NETWORK.most // 5):
        person = await new_person(database)
        for _ in range(5):
            await send(database, person.caller, phone_for(person, new_number()), limits=LIMITS_ON, network=network)
    person = await new_person(database)
    with pytest.raises(RateLimited):
        await send(database, person.caller, phone_for(person, new_number()), limits=LIMITS_ON, network=network)


async def test_codes_are_limited_per_day(database: Database) -> None:
    number = new_number()
    for hours in (0, 2):
        for _ in range(5):
            person = await new_person(database)
            later = at_later(database, timedelta(hours=hours))
            await send(later, person.caller, phone_for(person, number), limits=LIMITS_ON)
    person = await new_person(database)
    with pytest.raises(RateLimited):
        await send(at_later(database, timedelta(hours=4)), person.caller, phone_for(person, number), limits=LIMITS_ON)


async def test_codes_are_limited_per_network_address_and_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "app.accounts.workspaces.phone_verification.PER_NETWORK_A_DAY", Limit("phone-code:network-day", 2, 86_400)
    )
    network, person = new_network(), await new_person(database)
    for hours in (0, 2):
        later = at_later(database, timedelta(hours=hours))
        await send(later, person.caller, phone_for(person, new_number()), limits=LIMITS_ON, network=network)
    later = at_later(database, timedelta(hours=4))
    with pytest.raises(RateLimited):
        await send(later, person.caller, phone_for(person, new_number()), limits=LIMITS_ON, network=network)


async def test_only_numbers_of_the_listed_countries_are_texted(database: Database) -> None:
    person = await new_person(database)
    await send(database, person.caller, phone_for(person, new_number()), countries={"NL", "BE"})
    with pytest.raises(InvalidInput, match="country"):
        await send(database, person.caller, phone_for(person, "+4915112345678"), countries={"NL", "BE"})
    assert await texted_codes(database, "+4915112345678") == []


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        ("", None, "not a phone number"),
        ("0612345678", None, "country's code"),
        ("not a number", "NL", "not a phone number"),
        ("+31", None, "not a phone number"),
        ("+3161234", None, "no such"),
        ("+999123456789", None, "country's code"),
        ("0612345678", "XX", "two letters"),
        ("+31612345678 ext. 5", None, "extension"),
        ("+319001234567", None, "no such|of this kind"),
        ("+318001234", None, "of this kind"),
        ("+31201234567", None, "of this kind"),
        ("020 123 4567", "NL", "of this kind"),
        ("+442071838750", None, "of this kind"),
        ("+" + "1" * 50, None, "at most"),
        ("\0", "NL", "not a phone number"),
    ],
)
async def test_an_odd_number_is_refused_with_its_own_reason(
    database: Database, text: str, region: str | None, reason: str
) -> None:
    person = await new_person(database)
    with pytest.raises(InvalidInput, match=reason) as refused:
        await send(database, person.caller, phone_for(person, text, region))
    assert refused.value.path in (("input", "phoneNumber"), ("input", "region"))


async def test_a_number_that_may_be_a_mobiles_is_texted(database: Database) -> None:
    person, american = await new_person(database), "+12015550123"
    await send(database, person.caller, phone_for(person, american))
    assert len(await texted_codes(database, american)) == 1
