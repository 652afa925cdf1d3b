"""Bad input to the real product: a clear error, never a 5xx, nothing written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.accounts.access.permissions import ApiScope
from tests.support import operations
from tests.support.running_backend import RunningBackend

_AMOUNTS = [
    '"NaN"',
    '"Infinity"',
    '"-Infinity"',
    '"1e400"',
    '"1E2"',
    '"1_000"',
    '" 1"',
    '""',
    '"+1"',
    '"0x10"',
    '".5"',
    '"5."',
    '"\\u0661"',
    pytest.param(f'"{"9" * 39}"', id="39 digits"),
    "1",
    "1.5",
    "true",
    "null",
    "[]",
    "{}",
]
_UNPARSABLE = [
    "NaN",
    "Infinity",
    "1e400",
    pytest.param("9" * 5_000, id="5,000 digits"),
    pytest.param("1" * 100_000, id="100,000 digits"),
]
_TEXTS = ["a\x00b", "\ud800", "\x00"]


async def _deduct(backend: RunningBackend, token: str, workspace: str, amount: str) -> Any:
    body = (
        '{"query": "mutation ($input: DeductCreditsInput!) { deductCredits(input: $input) { userErrors { code } } }",'
        f' "variables": {{"input": {{"workspaceId": "{workspace}", "description": "A test",'
        f' "idempotencyKey": "bad", "amount": {amount}}}}}}}'
    )
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return await backend.api.http.post(f"{backend.api.url}/graphql", content=body, headers=headers)


@pytest.mark.parametrize("amount", _AMOUNTS + _UNPARSABLE)
async def test_what_is_no_plain_decimal_in_a_string_is_refused_and_nothing_is_written(
    backend: RunningBackend, amount: str
) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "5")
    token = await backend.service_key(ApiScope.CREDITS_WRITE)

    response = await _deduct(backend, token, person.workspace, amount)

    assert response.status_code in (200, 400)
    answer = response.json()
    assert {error["extensions"]["code"] for error in answer["errors"]} <= {"BAD_USER_INPUT", "BAD_REQUEST"}
    assert not answer.get("data")
    assert len((await backend.history(person))["nodes"]) == 1


@pytest.mark.parametrize("text", _TEXTS)
@pytest.mark.parametrize("field", ["description", "idempotencyKey", "resource", "workspaceId"])
async def test_text_that_no_database_keeps_is_refused_by_name(backend: RunningBackend, field: str, text: str) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "5")
    token = await backend.service_key(ApiScope.CREDITS_WRITE)
    given = {"workspaceId": person.workspace, "amount": "1", "description": "A test", "idempotencyKey": "bad"}

    response = await backend.api.http.post(
        f"{backend.api.url}/graphql",
        content=_json({"query": operations.DEDUCT, "variables": {"input": {**given, field: text}}}),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )

    assert response.status_code in (200, 400)
    assert response.json()["errors"][0]["extensions"]["code"] in ("BAD_USER_INPUT", "BAD_REQUEST")
    assert len((await backend.history(person))["nodes"]) == 1


def _json(value: object) -> bytes:
    # the standard library writes lone surrogates as escapes, which other writers refuse to
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"input": None},
        {"input": []},
        {"input": "text"},
        {"input": {"workspaceId": 1.5, "amount": "1", "description": "A", "idempotencyKey": "k"}},
        {"input": {"workspaceId": "x", "amount": "1", "description": "A"}},
        {"input": {"workspaceId": "x", "amount": "1", "description": "A", "idempotencyKey": "k", "unheard": 1}},
        {"input": {"workspaceId": None, "amount": "1", "description": "A", "idempotencyKey": "k"}},
    ],
)
async def test_variables_of_another_shape_are_refused(backend: RunningBackend, variables: dict[str, Any]) -> None:
    token = await backend.service_key(ApiScope.CREDITS_WRITE)

    assert await backend.api.refused(operations.DEDUCT, variables, token=token) == "BAD_USER_INPUT"


async def test_10_000_aliases_and_a_50_level_query_are_refused(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    aliases = "{ " + " ".join(f"a{number}: viewer {{ id }}" for number in range(10_000)) + " }"
    deep = (
        "{ viewer " + "{ personalWorkspace { creditBalance { transactions { nodes " * 12 + "{ id }" + "}}}}" * 12 + "}"
    )

    for document in (aliases, deep):
        response = await backend.api.send(document, token=person.token)
        assert response.status_code in (200, 400)
        assert response.json()["errors"]
        assert "data" not in response.json() or response.json()["data"] is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/nothing-like-it", None),
        ("PUT", "/graphql", b"{}"),
        ("DELETE", "/dev/inbox", None),
        ("GET", "/stripe/webhook", None),
        ("POST", "/graphql", b"\xff\xfe"),
        pytest.param("POST", "/graphql", b"[" * 100_000, id="100,000 brackets"),
        ("POST", "/stripe/webhook", b""),
        ("POST", "/dev/clock", b"\xff"),
        ("POST", "/healthz", b""),
    ],
)
async def test_a_wrong_path_method_or_body_answers_in_json_and_below_500(
    backend: RunningBackend, method: str, path: str, body: bytes | None
) -> None:
    headers = {"content-type": "application/json"} if body is not None else {}

    response = await backend.api.http.request(method, backend.api.url + path, content=body, headers=headers)

    assert 400 <= response.status_code < 500
    assert isinstance(response.json(), dict)
