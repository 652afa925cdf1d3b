"""Rate limits hold right across processes: several real servers on one database let through what one would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest_asyncio
from sqlalchemy import func, select

from app.clock import Clock
from app.db.engine import Database, connect
from app.db.tables.access import ApiKeyRow
from app.ids import GlobalId
from tests.support import operations
from tests.support.accounts import SECRET_KEY, new_person
from tests.support.client import Api
from tests.support.server import server_process

_SERVERS = 2
_KEYS_AN_HOUR = 20
_RESETS_A_NETWORK_AN_HOUR = 50
_RESET = "mutation ($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { userErrors { code } } }"
_SIGN_IN = "mutation ($input: SignInInput!) { signIn(input: $input) { userErrors { code } } }"


@pytest_asyncio.fixture
async def apis(database_url: str) -> AsyncGenerator[list[Api]]:
    """Servers of their own processes, all on one database."""
    with ExitStack() as stack:
        shared = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, "RATE_LIMITS": "on"}
        servers = [stack.enter_context(server_process(**shared)) for _ in range(_SERVERS)]
        for server in servers:
            await asyncio.to_thread(server.start)
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as http:
            yield [Api(server.url, http) for server in servers]


def _refusals(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [error["extensions"] for answer in answers for error in answer.get("errors", [])]


async def test_of_many_attempts_at_once_at_two_servers_exactly_as_many_pass_as_may(
    apis: list[Api], database_url: str
) -> None:
    database = Database(connect(database_url), Clock())
    try:
        owner = await new_person(database)
        workspace = str(GlobalId("Workspace", owner.user.personal_workspace_id))
        given = {"input": {"workspaceId": workspace, "name": "CI", "scopes": ["BILLING_READ"]}}

        sent = [api.send(operations.CREATE_API_KEY, given, token=owner.token) for api in apis for _ in range(25)]
        answers = [answer.json() for answer in await asyncio.gather(*sent)]

        refusals = _refusals(answers)
        assert len(refusals) == len(answers) - _KEYS_AN_HOUR
        assert {refusal["code"] for refusal in refusals} == {"RATE_LIMITED"}
        assert all(3_000 < refusal["retryAfterSeconds"] <= 3_600 for refusal in refusals)
        async with database.read() as session:
            assert await session.scalar(select(func.count()).select_from(ApiKeyRow)) == _KEYS_AN_HOUR

        wrong = {"input": {"emailAddress": "nobody@example.com", "password": "not the password"}}
        tried = [api.send(_SIGN_IN, wrong) for api in apis for _ in range(15)]
        bodies = [answer.json() for answer in await asyncio.gather(*tried)]
        assert len(_refusals(bodies)) == len(bodies) - 10
        assert {refusal["code"] for refusal in _refusals(bodies)} == {"RATE_LIMITED"}
    finally:
        await database.close()


async def test_nobody_gets_past_a_limit_by_naming_other_addresses_in_a_header(apis: list[Api]) -> None:
    """No proxy is trusted unless the settings name it, not even one on this machine."""
    refused = 0
    for number in range(_RESETS_A_NETWORK_AN_HOUR + 5):
        given = {"emailAddress": f"person-{number}@example.com"}
        query = {"query": _RESET, "variables": {"input": given}}
        headers = {"x-forwarded-for": f"203.0.113.{number}", "forwarded": f"for=203.0.113.{number}"}
        answer = await apis[number % _SERVERS].http.post(
            f"{apis[number % _SERVERS].url}/graphql", json=query, headers=headers
        )
        refused += len(_refusals([answer.json()]))
    assert refused == 5
