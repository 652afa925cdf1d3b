"""The strict reader: whatever is sent, the answer is JSON with errors and a status that says whose fault it is."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import suppress

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.asgi.graphql import GraphQLSettings
from app.asgi.graphql.request_parser import MalformedRequest, read_body, read_query_string
from app.errors import BadUserInput
from tests.asgi.conftest import JSON, Client, client_for, code_of

HELLO = "{ hello }"

BROKEN_BODIES = {
    "nothing": b"",
    "null": b"null",
    "a number": b"1",
    "a string": b'"x"',
    "true": b"true",
    "a batch": b'[{"query":"{ hello }"}]',
    "100,000 brackets": b"[" * 100_000,
    "100,000 braces": b'{"a":' * 100_000,
    "nested too deeply in variables": b'{"query":"{hello}","variables":{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}}",
    "bad UTF-8": b'{"query":"\xff"}',
    "a surrogate in UTF-8": b'{"query":"\xed\xa0\x80"}',
    "an escaped lone surrogate": b'{"query":"{hello}","variables":{"a":"\\ud800"}}',
    "a byte order mark": b'\xef\xbb\xbf{"query":"{hello}"}',
    "UTF-16": '{"query":"{hello}"}'.encode("utf-16"),
    "gzip undeclared": gzip.compress(b'{"query":"{hello}"}'),
    "NaN": b'{"query":"{hello}","variables":{"a":NaN}}',
    "Infinity": b'{"query":"{hello}","variables":{"a":-Infinity}}',
    "1e400": b'{"query":"{hello}","variables":{"a":1e400}}',
    "a 5,000-digit number": b'{"query":"{hello}","variables":{"a":' + b"9" * 5_000 + b"}}",
    "a NUL": b'{"query":"{hello}","variables":{"a":["b",{"c":"\\u0000"}]}}',
    "a NUL in a key": b'{"query":"{hello}","variables":{"\\u0000":1}}',
    "trailing text": b'{"query":"{hello}"} {}',
    "a comment": b'{"query":"{hello}"/**/}',
    "a raw newline in a string": b'{"query":"{hello\n}"}',
    "an empty query": b'{"query":" "}',
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
async def test_a_broken_body_is_a_400_with_errors(client: Client, body: bytes) -> None:
    response = await client.post_bytes(body)
    assert response.status_code == 400
    assert code_of(response) == "BAD_USER_INPUT"
    assert "data" not in response.json()
    assert not client.contexts.made


async def test_a_batch_is_refused_by_name(client: Client) -> None:
    response = await client.post_bytes(b'[{"query":"{ hello }"},{"query":"{ hello }"}]')
    assert "Batches are not supported" in response.json()["errors"][0]["message"]


async def test_an_escaped_backslash_before_u0000_is_no_nul(client: Client) -> None:
    response = await client.post("query($n: String!){ hello(name: $n) }", variables={"n": "\\u0000"})
    assert response.json() == {"data": {"hello": "Hello, \\u0000!"}}


async def test_a_nul_in_a_literal_is_refused(client: Client) -> None:
    for query in ('{ hello(name: "\\u0000") }', '{ hello(name: "\\u{0}") }', '{ hello(name: """\0""") }'):
        assert code_of(await client.post(query)) == "BAD_USER_INPUT"


async def test_a_5000_digit_literal_is_refused(client: Client) -> None:
    response = await client.post("{ add(left: " + "9" * 5_000 + ") }")
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=x",
        "application/graphql",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "",
    ],
)
async def test_another_content_type_is_a_415(client: Client, content_type: str) -> None:
    response = await client.post_bytes(orjson.dumps({"query": HELLO}), content_type)
    assert response.status_code == 415
    assert response.headers["accept-post"].startswith(JSON)
    assert code_of(response) == "BAD_USER_INPUT"


async def test_a_compressed_body_is_a_415(client: Client) -> None:
    response = await client.post_bytes(gzip.compress(b'{"query":"{ hello }"}'), **{"content-encoding": "gzip"})
    assert response.status_code == 415
    assert "compression" in response.json()["errors"][0]["message"]


async def test_a_body_over_the_limit_is_a_413_declared_or_not() -> None:
    async with client_for(GraphQLSettings(body_bytes=1_000)) as client:
        declared = await client.post("{ hello }" + " " * 1_000)
        assert (declared.status_code, code_of(declared)) == (413, "BAD_USER_INPUT")

        async def chunks():
            for _ in range(100):
                yield b" " * 100

        headers = {"content-type": JSON}
        streamed = await client.http.post("/graphql", content=chunks(), headers=headers)
        assert streamed.status_code == 413
        assert streamed.headers["connection"] == "close"


async def test_a_body_that_never_ends_is_a_408() -> None:
    async with client_for(GraphQLSettings(body_seconds=0.01)) as client:

        async def stalled():
            yield b'{"query":'
            await asyncio.Event().wait()

        response = await client.http.post("/graphql", content=stalled(), headers={"content-type": JSON})
        assert (response.status_code, code_of(response)) == (408, "BAD_USER_INPUT")


async def test_a_body_at_the_limit_passes() -> None:
    body = orjson.dumps({"query": HELLO})
    async with client_for(GraphQLSettings(body_bytes=len(body))) as client:
        assert (await client.post_bytes(body)).status_code == 200


async def test_get_parameters_are_read_as_strictly(client: Client) -> None:
    for query_string in (
        "query=%ff",
        "query={hello}&variables=[",
        "query={hello}&variables=1",
        "query=&x=1",
        "variables={}",
    ):
        response = await client.http.get(f"/graphql?{query_string}")
        assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT"), query_string


def test_the_parameters_of_a_get_cannot_be_many() -> None:
    with pytest.raises(MalformedRequest):
        read_query_string(b"&".join(b"a=1" for _ in range(10_000)))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4),
    max_leaves=20,
)


@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with suppress(BadUserInput):
        read_body(body)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("query", "operationName", "variables", "extensions"), JSON_VALUES)
    )
)
def test_any_members_are_read_or_refused(members: dict[str, object]) -> None:
    with suppress(BadUserInput):
        assert read_body(json.dumps(members).encode()).query == members["query"]


@given(st.binary())
def test_any_query_string_is_read_or_refused(query_string: bytes) -> None:
    with suppress(BadUserInput):
        read_query_string(query_string)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.text() | st.text(alphabet='{}()[]$:!.@"\\ abhelonm123\n#', max_size=60),
    variables=JSON_VALUES,
)
async def test_any_document_gets_a_clear_answer(client: Client, query: str, variables: object) -> None:
    response = await client.post_bytes(json.dumps({"query": query, "variables": variables}).encode())
    assert response.status_code in (200, 400, 405, 406)
    answer = response.json()
    assert "data" in answer or answer["errors"]
    assert all(error["extensions"]["code"] not in ("INTERNAL", None) for error in answer.get("errors", ()))
