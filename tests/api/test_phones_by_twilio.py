"""Verifying a phone through the API where the settings name a Twilio Verify service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest_asyncio

from app.db.engine import Database
from tests.api.test_identity_phones import PERSONAL, SEND, VERIFY
from tests.support.accounts import new_person, texted_codes
from tests.support.api import Client, running_api
from tests.support.http_double import Answered, Asked
from tests.support.twilio import TwilioDouble, failure, twilio_double

_NUMBER = "+31612345678"


@dataclass(frozen=True, slots=True)
class Owner:
    """A signed-in owner of a workspace, a product that texts through Twilio, and that Twilio."""

    client: Client
    twilio: TwilioDouble
    database: Database
    workspace: str

    def phone(self, **more: str) -> dict[str, str]:
        """What is sent to verify the number for the workspace."""
        return {"workspaceId": self.workspace, "phoneNumber": _NUMBER, **more}


@pytest_asyncio.fixture
async def owner(fresh_database: Database) -> AsyncGenerator[Owner]:
    """An owner whose product texts through Twilio."""
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    person = await new_person(fresh_database)
    async with (
        twilio_double() as twilio,
        running_api(url, **twilio.settings) as api,
        api.program(person.token) as client,
    ):
        workspace = (await client.run(PERSONAL))["viewer"]["personalWorkspace"]["id"]
        yield Owner(client, twilio, fresh_database, workspace)


async def test_the_code_that_twilio_texted_verifies_the_phone_and_none_lies_in_the_inbox(owner: Owner) -> None:
    sent = await owner.client.run(SEND, input=owner.phone())
    assert sent["sendPhoneVerification"]["userErrors"] == []
    assert await texted_codes(owner.database, _NUMBER) == []
    code = owner.twilio.code_of(_NUMBER)
    verified = (await owner.client.run(VERIFY, input=owner.phone(code=code)))["verifyPhone"]
    assert verified["userErrors"] == []
    assert verified["workspace"]["phone"]["masked"] == f"•••• {_NUMBER[-4:]}"


async def test_a_landline_is_a_mistake_in_the_number(owner: Owner) -> None:
    owner.twilio.landlines.add(_NUMBER)
    [error] = (await owner.client.run(SEND, input=owner.phone()))["sendPhoneVerification"]["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "phoneNumber"])


async def test_that_twilio_wants_us_to_wait_is_told_with_how_long(owner: Owner) -> None:
    async def is_busy(_asked: Asked) -> Answered:
        return failure(60203)

    owner.twilio.instead = is_busy
    refused = await owner.client.refused(SEND, input=owner.phone())
    assert (refused["code"], refused["retryAfterSeconds"]) == ("RATE_LIMITED", 600)


async def test_that_twilio_is_away_or_has_changed_its_token_is_told_as_unavailable(owner: Owner) -> None:
    await owner.client.run(SEND, input=owner.phone())
    owner.twilio.auth_token = "another"
    assert (await owner.client.refused(SEND, input=owner.phone()))["code"] == "UNAVAILABLE"
    code = owner.twilio.code_of(_NUMBER)
    assert (await owner.client.refused(VERIFY, input=owner.phone(code=code)))["code"] == "UNAVAILABLE"
    assert (await owner.client.run(PERSONAL))["viewer"]["personalWorkspace"]["phone"] is None


async def test_wrong_and_lapsed_codes_say_so(owner: Owner) -> None:
    await owner.client.run(SEND, input=owner.phone())
    code = owner.twilio.code_of(_NUMBER)
    wrong = await owner.client.run(VERIFY, input=owner.phone(code=f"{(int(code) + 1) % 1_000_000:06}"))
    owner.twilio.expire()
    lapsed = await owner.client.run(VERIFY, input=owner.phone(code=code))
    errors = [answer["verifyPhone"]["userErrors"] for answer in (wrong, lapsed)]
    assert errors == [[{"code": code, "path": ["input", "code"]}] for code in ("CODE_WRONG", "CODE_EXPIRED")]
