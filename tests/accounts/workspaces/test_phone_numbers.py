"""Which phone numbers a code is sent to."""

from __future__ import annotations

import pytest

from app.db.engine import Database
from app.errors import InvalidInput
from tests.support.accounts import (
    new_person,
    texted_codes,
)
from tests.support.phones import new_number, phone_for, send


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
