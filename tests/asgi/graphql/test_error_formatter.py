"""Every error has a code, and none tells of our insides."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import Client, client_for, code_of


async def test_an_unexpected_exception_is_masked_with_the_request_id(client: Client) -> None:
    response = await client.post("{ broken hello }")
    assert response.status_code == 200
    assert response.json() == {
        "errors": [
            {
                "message": "Something went wrong on our side.",
                "locations": [{"line": 1, "column": 3}],
                "path": ["broken"],
                "extensions": {"code": "INTERNAL", "requestId": response.headers["x-request-id"]},
            }
        ],
        "data": {"broken": None, "hello": "Hello, world!"},
    }


async def test_an_unexpected_exception_is_logged_once_with_where_but_not_what(production: Client) -> None:
    with capture_logs() as logs:
        response = await production.post("{ broken }")
    (entry,) = [line for line in logs if line["log_level"] == "error"]
    assert entry["request_id"] == response.json()["errors"][0]["extensions"]["requestId"]
    assert entry["error"] == "RuntimeError"
    assert any("toy_schema.py" in frame for frame in entry["frames"])
    assert "ada@example.com" not in str(entry)


async def test_an_exception_that_fails_several_fields_is_logged_once(client: Client) -> None:
    with capture_logs() as logs:
        response = await client.post("{ a: brokenTogether b: brokenTogether }")
    assert len(response.json()["errors"]) == 2
    assert len(logs) == 1


async def test_development_logs_the_message_too(client: Client) -> None:
    with capture_logs() as logs:
        await client.post("{ broken }")
    assert "ada@example.com" in str(logs)


async def test_what_a_resolver_returned_wrongly_is_not_shown(client: Client) -> None:
    response = await client.post("{ wrongType }")
    assert code_of(response) == "INTERNAL"
    assert "ada@example.com" not in response.text


async def test_a_failed_field_that_may_not_be_null_leaves_data_null_and_the_status_200(client: Client) -> None:
    response = await client.post("{ brokenToo }")
    assert response.status_code == 200
    assert response.json()["data"] is None


async def test_a_protocol_error_keeps_its_message_and_extensions(client: Client) -> None:
    error = (await client.post("{ missing }")).json()["errors"][0]
    assert error["extensions"] == {"code": "NOT_FOUND"}
    assert error["message"] == "There is no such object, or it is not yours to see."


async def test_a_domain_error_in_a_query_is_bad_input_with_its_reason(client: Client) -> None:
    error = (await client.post("{ unacceptable }")).json()["errors"][0]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "reason": "INVALID_INPUT"}
    assert error["message"] == "The page is too large."


async def test_a_lost_driver_connection_is_unavailable(client: Client) -> None:
    response = await client.post("{ unreachable }")
    assert code_of(response) == "UNAVAILABLE"
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($a: Amount!) { double(amount: $a) }", {"a": 1.5}),
        ("query($a: Amount!) { double(amount: $a) }", {"a": "twelve"}),
        ("query($a: Amount!) { double(amount: $a) }", {}),
        ("query($a: Int!) { add(left: $a) }", {"a": "1"}),
        ("query($a: Int!) { add(left: $a) }", {"a": 2**31}),
        ("query($a: Int!) { add(left: $a) }", {"a": [1]}),
        ("query($a: NoteInput!) { note(draft: $a) }", {"a": {"text": "a", "unknown": 1}}),
        ("query($a: NoteInput!) { note(draft: $a) }", {"a": {"stars": 1}}),
        ('query($a: String = "b") { hello(name: $a) }', {"a": None}),
    ],
)
async def test_bad_variables_are_named_not_masked(client: Client, query: str, variables: dict[str, object]) -> None:
    response = await client.post(query, variables=variables)
    assert code_of(response) == "BAD_USER_INPUT"
    assert "Something went wrong" not in response.text


async def test_bad_literals_are_named_not_masked(client: Client) -> None:
    for query in ("{ double(amount: 1.5) }", '{ double(amount: "x") }', "{ add(left: 3000000000) }"):
        assert code_of(await client.post(query)) == "GRAPHQL_VALIDATION_FAILED"


async def test_an_operation_that_takes_too_long_is_ended() -> None:
    async with client_for(GraphQLSettings(operation_seconds=0.01)) as client:
        response = await client.post("{ later(seconds: 60) }")
        assert (response.status_code, code_of(response)) == (504, "TIMEOUT")
        assert client.contexts.made[0].is_closed


async def test_a_context_is_closed_whatever_happens(client: Client) -> None:
    for query in ("{ hello }", "{ broken }", "{ nope }", "{"):
        await client.post(query)
        assert client.contexts.made[-1].is_closed


async def test_wrong_credentials_are_a_401_before_anything_runs(client: Client) -> None:
    response = await client.post("{ hello }", headers={"authorization": "Bearer wrong"})
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")
    assert "data" not in response.json()
