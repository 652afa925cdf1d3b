"""Verifying a workspace's phone through the API."""

from __future__ import annotations

from itertools import count

import pytest

from app.accounts.access.api_keys import create_service_key
from app.accounts.access.permissions import ApiScope
from app.db.engine import Database
from app.db.unit_of_work import transact
from tests.support.accounts import new_person, texted_codes
from tests.support.api import Api, running_api

SEND = """
mutation ($input: SendPhoneVerificationInput!) { sendPhoneVerification(input: $input) { userErrors { code message path } } }
"""
VERIFY = """
mutation ($input: VerifyPhoneInput!) {
  verifyPhone(input: $input) { workspace { id phone { masked verifiedAt } } userErrors { code path } }
}
"""
PERSONAL = "{ viewer { personalWorkspace { id phone { masked } } } }"

_numbers = count(20_000_000)


def _new_number() -> str:
    return f"+316{next(_numbers)}"


async def test_the_texted_code_verifies_the_phone_which_shows_its_last_digits_only(api: Api) -> None:
    person, number = await new_person(api.database), _new_number()
    async with api.program(person.token) as client:
        workspace_id = (await client.run(PERSONAL))["viewer"]["personalWorkspace"]["id"]
        national = {"workspaceId": workspace_id, "phoneNumber": f"0{number[3:]}", "region": "NL"}
        assert (await client.run(SEND, input=national))["sendPhoneVerification"] == {"userErrors": []}
        [code] = await texted_codes(api.database, number)
        wrong = f"{(int(code) + 1) % 1_000_000:06}"
        refused = (await client.run(VERIFY, input={**national, "code": wrong}))["verifyPhone"]
        assert refused == {"workspace": None, "userErrors": [{"code": "CODE_WRONG", "path": ["input", "code"]}]}
        verified = (await client.run(VERIFY, input={**national, "code": code}))["verifyPhone"]
        seen = (await client.run(PERSONAL))["viewer"]["personalWorkspace"]["phone"]
    assert verified["userErrors"] == []
    assert verified["workspace"]["id"] == workspace_id
    assert verified["workspace"]["phone"]["masked"] == seen["masked"] == f"•••• {number[-4:]}"


@pytest.mark.parametrize(
    ("phone", "member"),
    [
        ({"phoneNumber": "nonsense"}, "phoneNumber"),
        ({"phoneNumber": "0612345678"}, "phoneNumber"),
        ({"phoneNumber": "0612345678", "region": "ZZ"}, "region"),
    ],
)
async def test_an_odd_number_says_which_field_is_wrong(api: Api, phone: dict[str, str], member: str) -> None:
    person = await new_person(api.database)
    async with api.program(person.token) as client:
        workspace_id = (await client.run(PERSONAL))["viewer"]["personalWorkspace"]["id"]
        answer = await client.run(SEND, input={"workspaceId": workspace_id, **phone})
    [error] = answer["sendPhoneVerification"]["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", member])


async def test_only_its_owner_verifies_a_workspaces_phone_and_others_learn_nothing(api: Api) -> None:
    owner, stranger, number = await new_person(api.database), await new_person(api.database), _new_number()
    _, secret = await transact(api.database, lambda session: create_service_key(session, "a server", list(ApiScope)))
    async with api.program(owner.token) as client:
        workspace_id = (await client.run(PERSONAL))["viewer"]["personalWorkspace"]["id"]
    refusals = ((stranger.token, "NOT_FOUND"), (secret, "FORBIDDEN"), (None, "UNAUTHENTICATED"))
    for token, code in refusals:
        async with api.program(token) as client:
            for wanted in (workspace_id, "Workspace_AAAA", "nonsense"):
                phone = {"workspaceId": wanted, "phoneNumber": number}
                assert (await client.refused(SEND, input=phone))["code"] == code
                assert (await client.refused(VERIFY, input={**phone, "code": "123456"}))["code"] == code
    assert await texted_codes(api.database, number) == []


async def test_the_sixth_code_in_an_hour_is_refused_with_the_time_to_wait(fresh_database: Database) -> None:
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    person = await new_person(fresh_database)
    async with running_api(url, rate_limits="on") as api, api.program(person.token) as client:
        workspace_id = (await client.run(PERSONAL))["viewer"]["personalWorkspace"]["id"]
        phone = {"workspaceId": workspace_id, "phoneNumber": _new_number()}
        for _ in range(5):
            await client.run(SEND, input=phone)
        refusal = await client.refused(SEND, input=phone)
    assert refusal["code"] == "RATE_LIMITED"
    assert 0 < refusal["retryAfterSeconds"] <= 3_600


async def test_only_numbers_of_the_configured_countries_are_texted(fresh_database: Database) -> None:
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    person = await new_person(fresh_database)
    async with running_api(url, phone_countries=("NL",)) as api, api.program(person.token) as client:
        workspace_id = (await client.run(PERSONAL))["viewer"]["personalWorkspace"]["id"]
        for number, expected in ((_new_number(), []), ("+4915112345678", ["INVALID_INPUT"])):
            answer = await client.run(SEND, input={"workspaceId": workspace_id, "phoneNumber": number})
            assert [error["code"] for error in answer["sendPhoneVerification"]["userErrors"]] == expected
