"""Files beside an operation: whatever is wrong with a multipart body is a clear 400, and no file of it stays open."""

from __future__ import annotations

import gzip
from collections.abc import AsyncGenerator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.asgi.graphql.graphql_settings import GraphQLSettings
from tests.asgi.conftest import Client, client_for, code_of
from tests.asgi.uploading import (
    FILE,
    KEEP,
    MAP,
    ONE,
    OPERATIONS,
    TOKEN,
    TWO,
    WHOLE,
    files_of,
    opened_files,
    send,
)
from tests.support.multipart import BOUNDARY, CONTENT_TYPE, a_field, a_file, body_of, upload_body

# ------------------------------------------------------------------ what is malformed

_OTHER = a_file("1", b"other")


def operations(variables: object, query: object = KEEP) -> bytes:
    return a_field("operations", {"query": query, "variables": variables})


def pointing(*paths: object) -> bytes:
    return body_of(operations(TWO), a_field("map", {"0": list(paths)}), FILE)


MALFORMED = {
    "nothing": b"",
    "no multipart": b"what is this",
    "only the end": body_of(),
    "JSON": b'{"query": "{ hello }"}',
    "cut in the headers": WHOLE[:40],
    "cut in the operations": WHOLE[:120],
    "cut in the file": WHOLE[: WHOLE.index(b"content") + 3],
    "cut before the last boundary": WHOLE[: WHOLE.rindex(b"--" + BOUNDARY.encode())],
    "cut in the last boundary": WHOLE[:-6],
    "cut after the last file": WHOLE[:-4] + b"\r\n",
    "cut in another part": WHOLE[:-4] + b"\r\nContent-Disposition: form-data",
    "another boundary": WHOLE.replace(BOUNDARY.encode(), b"another"),
    "a part without a name": body_of(b"Content-Disposition: form-data\r\n\r\nx", OPERATIONS, MAP, FILE),
    "a part without a disposition": body_of(b"Content-Type: text/plain\r\n\r\nx", OPERATIONS, MAP, FILE),
    "a part without headers": body_of(b"\r\nx", OPERATIONS, MAP, FILE),
    "a header without a colon": body_of(b"nonsense\r\n\r\nx", OPERATIONS, MAP, FILE),
    "a header too long": body_of(b"X: " + b"x" * 10_000 + b"\r\n\r\nx", OPERATIONS, MAP, FILE),
    "headers too many": body_of(b"X: x\r\n" * 50 + b"\r\nx", OPERATIONS, MAP, FILE),
    "no operations": body_of(MAP, FILE),
    "no map": body_of(OPERATIONS, FILE),
    "no file": body_of(OPERATIONS, MAP),
    "another file than the map's": body_of(OPERATIONS, MAP, _OTHER),
    "a file that is not in the map": body_of(OPERATIONS, MAP, FILE, _OTHER),
    "operations twice": body_of(OPERATIONS, OPERATIONS, MAP, FILE),
    "the map twice": body_of(OPERATIONS, MAP, MAP, FILE),
    "a file's name twice": body_of(OPERATIONS, MAP, FILE, FILE),
    "operations as a file": body_of(a_file("operations", b"{}"), MAP, FILE),
    "a file without a filename": body_of(OPERATIONS, MAP, a_field("0", b"content")),
    "another field": body_of(OPERATIONS, MAP, FILE, a_field("other", b"x")),
    "files too many": body_of(OPERATIONS, MAP, *(a_file(str(number), b"x") for number in range(5))),
    "fields too many": body_of(OPERATIONS, MAP, FILE, *(a_field(str(number), b"x") for number in range(10_000))),
    "operations too long": body_of(operations({"input": "x" * 1_100_000}), MAP, FILE),
    "operations that are no JSON": body_of(a_field("operations", b"{"), MAP, FILE),
    "operations in Latin-1": body_of(
        a_field("operations", '{"query":"{ hello(name: \\"é\\") }"}'.encode("latin-1")), MAP
    ),
    "operations nested too deeply": body_of(a_field("operations", b"[" * 100_000), MAP, FILE),
    "a batch": body_of(a_field("operations", [{"query": KEEP, "variables": ONE}]), MAP, FILE),
    "operations without a query": body_of(a_field("operations", {"variables": ONE}), MAP, FILE),
    "a query that is no text": body_of(operations(ONE, query=1), MAP, FILE),
    "variables that are no object": body_of(operations([None]), MAP, FILE),
    "a NUL in the variables": body_of(operations({**ONE, "x": "\0"}), MAP, FILE),
    "a map that is no JSON": body_of(OPERATIONS, a_field("map", b"nonsense"), FILE),
    "a map that is no object": body_of(OPERATIONS, a_field("map", ["variables.input.file"]), FILE),
    "a map of a text": body_of(OPERATIONS, a_field("map", {"0": "variables.input.file"}), FILE),
    "a map of nothing": body_of(OPERATIONS, a_field("map", {"0": []}), FILE),
    "a map of null": body_of(OPERATIONS, a_field("map", {"0": None}), FILE),
    "a path that is no text": pointing(1),
    "an empty path": pointing(""),
    "a path to the variables": pointing("variables"),
    "a path to nothing in the variables": pointing("variables."),
    "a path into the query": pointing("query"),
    "a path of a batch": pointing("0.variables.input.file"),
    "a path to what is not there": pointing("variables.input.image"),
    "a path through what is not there": pointing("variables.x.y.z"),
    "a path to an object": pointing("variables.input"),
    "a path through a null": pointing("variables.input.file.x"),
    "a path beyond a list": pointing("variables.input.others.2"),
    "a path before a list": pointing("variables.input.others.-1"),
    "a path to the list's length": pointing("variables.input.others.length"),
    "a path in other digits": pointing("variables.input.others.\u0661"),
    "a path with a zero in front": pointing("variables.input.others.01"),
    "a path with a huge index": pointing("variables.input.others." + "9" * 5_000),
    "a path given twice": pointing("variables.input.file", "variables.input.file"),
    "a path into a file": pointing("variables.input.file", "variables.input.file.filename"),
    "a path to a value": body_of(operations({"input": {"file": "x"}}), MAP, FILE),
    "a path to false": body_of(operations({"input": {"file": False}}), MAP, FILE),
    "a variable without a name": body_of(operations({"": None}), a_field("map", {"0": ["variables"]}), FILE),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_multipart_body_is_a_400_with_errors(client: Client, body: bytes) -> None:
    response = await send(client, body)
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT"), response.text
    assert "data" not in response.json()
    assert len(response.json()["errors"][0]["message"]) < 400
    assert files_of(client) == []


async def test_a_batch_of_operations_with_files_is_refused_by_name(client: Client) -> None:
    response = await send(client, MALFORMED["a batch"])
    assert "Batches are not supported" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("name", ["operations", "map"])
async def test_a_part_that_is_no_text_is_named(client: Client, name: str) -> None:
    parts = {"operations": OPERATIONS, "map": MAP, name: a_field(name, '{"query": "é"}'.encode("latin-1"))}
    response = await send(client, body_of(*parts.values(), FILE))
    assert response.json()["errors"][0]["message"] == f"The field {name} is not valid UTF-8."


_PREAMBLES = {
    "a line": b"This is a message with several parts.\r\n",
    "an empty line": b"\r\n",
    "lines": b"one\r\n\r\ntwo\n\r\n",
    "what looks like boundaries": b"--\r\n--a-bound\r\n x--" + BOUNDARY.encode() + b"\r\n\r\n-\r\n",
    "a long one": b"x" * 200_000 + b"\r\n",
}


@pytest.mark.parametrize("preamble", _PREAMBLES.values(), ids=_PREAMBLES.keys())
@pytest.mark.parametrize("epilogue", [b"", b"The end.", b"\r\n--" + BOUNDARY.encode() + b"\r\n"])
async def test_what_stands_before_the_first_and_after_the_last_boundary_means_nothing(
    client: Client, preamble: bytes, epilogue: bytes
) -> None:
    response = await send(client, preamble + WHOLE + epilogue)
    assert response.json() == (await send(client, WHOLE)).json()
    assert response.json()["data"]["keep"]


async def test_however_the_body_is_cut_on_its_way(client: Client) -> None:
    async def in_pieces(size: int) -> AsyncGenerator[bytes]:
        body = b"before\r\n\r" + b"\r\n" + WHOLE + b"after"
        for start in range(0, len(body), size):
            yield body[start : start + size]

    whole = (await send(client, WHOLE)).json()
    for size in (1, 2, 3, 7, 21):
        assert (await send(client, in_pieces(size))).json() == whole


async def test_but_counts_as_what_is_sent() -> None:
    async with client_for(GraphQLSettings(upload_bytes=len(WHOLE) + 100)) as client:
        for body in (b"x" * 99 + b"\r\n" + WHOLE, WHOLE + b"x" * 101):
            assert (await send(client, body)).status_code == 413
            assert files_of(client) == []


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 71,
        'multipart/form-data; boundary="a\\"b"',
        'multipart/form-data; boundary="ends with a space "',
        "multipart/form-data; boundary=b\u00e9",
    ],
)
async def test_a_boundary_that_is_none_is_a_400(client: Client, content_type: str) -> None:
    response = await send(client, WHOLE, content_type.encode("latin-1"))  # pyright: ignore[reportArgumentType]
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
    assert "boundary" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("parameter", ["charset=latin-1", "charset=idna", 'charset="utf-16"'])
async def test_another_charset_is_a_415(client: Client, parameter: str) -> None:
    assert (await send(client, WHOLE, f"{CONTENT_TYPE}; {parameter}")).status_code == 415


@pytest.mark.parametrize("parameter", ["charset=utf-8", 'charset="UTF-8"', "charset*=utf-8''idna", "x=y"])
async def test_other_parameters_change_nothing(client: Client, parameter: str) -> None:
    assert (await send(client, WHOLE, f"{CONTENT_TYPE}; {parameter}")).json()["data"]["keep"]


async def test_a_compressed_upload_is_a_415(client: Client) -> None:
    response = await send(client, gzip.compress(WHOLE), **{"content-encoding": "gzip"})
    assert response.status_code == 415


async def test_a_subscription_takes_no_files(client: Client) -> None:
    body = upload_body("subscription { count }", b"x", variables={"x": None}, path="variables.x")
    response = await send(client, body, accept="text/event-stream")
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")


async def test_a_file_where_none_belongs_is_a_bad_variable(client: Client) -> None:
    query = "query ($amount: Amount!) { double(amount: $amount) }"
    response = await send(client, upload_body(query, b"x", variables={"amount": None}, path="variables.amount"))
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
    query = "query ($left: Int!) { add(left: $left) }"
    response = await send(client, upload_body(query, b"x", variables={"left": None}, path="variables.left"))
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize("value", ["a text", 1, True, {}, [], {"filename": "x", "file": "y"}])
async def test_json_can_not_stand_for_a_file(client: Client, value: object) -> None:
    response = await client.post(KEEP, variables={"input": {"file": value}}, headers=TOKEN)
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
    assert "must be a file of a multipart request" in response.json()["errors"][0]["message"]


async def test_a_literal_can_not_stand_for_a_file(client: Client) -> None:
    for literal in ('"x"', "1", "{file: 1}", "[1]"):
        response = await client.post(f"mutation {{ keep(draft: {{file: {literal}}}) }}", headers=TOKEN)
        assert response.status_code == 400


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(WHOLE) - 1), cut=st.integers(0, 40), put=st.binary(max_size=40))
async def test_any_multipart_body_gets_a_clear_answer(client: Client, at: int, cut: int, put: bytes) -> None:
    response = await send(client, WHOLE[:at] + put + WHOLE[at + cut :])
    assert response.status_code in (200, 400, 405)
    answer = response.json()
    assert all(error["extensions"]["code"] not in ("INTERNAL", None) for error in answer.get("errors", ()))


async def test_files_are_closed_when_the_body_is_malformed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = opened_files(monkeypatch)
    for body in MALFORMED.values():
        await send(client, body)
    assert len(opened) > 10
    assert [file for file in opened if not file.closed] == []
