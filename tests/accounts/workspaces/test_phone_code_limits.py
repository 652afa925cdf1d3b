"""How often codes are sent: per number, workspace and network address, an hour and a day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.accounts.security.rate_limits import Limit
from app.accounts.workspaces.phone_verification import PER_NETWORK, PER_NUMBER
from app.db.engine import Database
from app.errors import RateLimited
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
