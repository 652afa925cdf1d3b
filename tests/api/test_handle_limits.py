"""Handles resemble names: nobody asks for one after the other, and a mistyped one costs nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest_asyncio

from app.accounts.people.handles import REFUSALS_PER_USER
from app.db.engine import Database
from tests.support.accounts import Person, new_person
from tests.support.api import running_api
from tests.support.organizations import AccountsApi

_CHANGE = "mutation ($handle: String!) { changeHandle(input: {handle: $handle}) { userErrors { code } } }"
_A_DAY = 5


@pytest_asyncio.fixture
async def limited_accounts(fresh_database: Database) -> AsyncGenerator[AccountsApi]:
    """People and organizations where rate limits count."""
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_api(url, rate_limits="on") as running:
        yield AccountsApi(running)


async def _change(accounts: AccountsApi, person: Person, handle: str) -> list[str]:
    answer = await accounts.ask(person, _CHANGE, handle=handle)
    return [error["code"] for error in answer["changeHandle"]["userErrors"]]


def _free() -> str:
    return f"free-{uuid4().hex[:12]}"


async def test_a_user_id_is_changed_five_times_a_day_and_mistakes_do_not_count(limited_accounts: AccountsApi) -> None:
    person = await limited_accounts.person()
    await new_person(limited_accounts.database, handle="taken")
    for _ in range(_A_DAY + 1):
        assert await _change(limited_accounts, person, "-bad") == ["HANDLE_INVALID"]
        assert await _change(limited_accounts, person, "taken") == ["HANDLE_TAKEN"]
    for _ in range(_A_DAY):
        assert await _change(limited_accounts, person, _free()) == []
    assert await limited_accounts.refused(person, _CHANGE, handle=_free()) == "RATE_LIMITED"


async def test_after_thirty_handles_that_are_taken_the_next_change_is_rate_limited(
    limited_accounts: AccountsApi,
) -> None:
    person, other = await limited_accounts.person(), await limited_accounts.person()
    organization = await limited_accounts.organization(person)
    await new_person(limited_accounts.database, handle="taken")
    for _ in range(REFUSALS_PER_USER.most // 3):
        assert await _change(limited_accounts, person, "taken") == ["HANDLE_TAKEN"]
        asked = {"name": "Acme", "handle": "taken"}
        assert await limited_accounts.fails(person, "createOrganization", **asked) == "HANDLE_TAKEN"
        changed = {"workspaceId": organization.id, "handle": "taken"}
        assert await limited_accounts.fails(person, "updateWorkspace", **changed) == "HANDLE_TAKEN"

    for handle in ("taken", _free()):
        assert await limited_accounts.refused(person, _CHANGE, handle=handle) == "RATE_LIMITED"
        asked = {"name": "Acme", "handle": handle}
        assert await limited_accounts.forbidden(person, "createOrganization", **asked) == "RATE_LIMITED"
    assert await _change(limited_accounts, other, "taken") == ["HANDLE_TAKEN"]
    await limited_accounts.do(person, "updateWorkspace", workspaceId=organization.id, name="Another name")
    await limited_accounts.organization(person)
