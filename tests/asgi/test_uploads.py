"""Files beside an operation: the multipart request specification, its every mistake, and who may send one at all."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import AsyncGenerator
from tempfile import SpooledTemporaryFile
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import GRAPHQL, Client, client_for, code_of, make_app
from tests.asgi.toy_schema import ToyContexts
from tests.support.multipart import BOUNDARY, CONTENT_TYPE, PREFLIGHT, a_field, a_file, body_of, upload_body

KEEP = "mutation ($input: FileInput!) { keep(draft: $input) }"
ONE = {"input": {"file": None}}
TWO = {"input": {"file": None, "others": [None, None]}}
OPERATIONS = a_field("operations", {"query": KEEP, "variables": ONE})
MAP = a_field("map", {"0": ["variables.input.file"]})
FILE = a_file("0", b"content")
WHOLE = body_of(OPERATIONS, MAP, FILE)
TOKEN = {"authorization": "Bearer good-token"}
HEADER = {PREFLIGHT: "1"}
COOKIE = {"cookie": "counterfoil_session=s3cret"}


def kept(name: str, data: bytes) -> str:
    return f"{name} {hashlib.sha256(data).hexdigest()}"


async def send(client: Client, body: Any, content_type: str = CONTENT_TYPE, **headers: str) -> httpx.Response:
    """Send it as a program with credentials and the header; `headers` add to that."""
    all_headers = {**TOKEN, **HEADER, "content-type": content_type, "accept": GRAPHQL, **headers}
    return await client.http.post("/graphql", content=body, headers=all_headers)


def files_of(client: Client) -> list[Any]:
    return [file for context in client.contexts.made for file in context.files]


# ------------------------------------------------------------------ what works


async def test_a_file_takes_the_place_of_the_null_that_the_map_points_to(client: Client) -> None:
    response = await send(client, WHOLE)
    assert (response.status_code, response.json()) == (200, {"data": {"keep": [kept("a file", b"content")]}})


@pytest.mark.parametrize("name", ["graphql-require-preflight", "apollo-require-preflight", "x-requested-with"])
async def test_any_of_the_known_headers_shows_that_no_form_sent_it(client: Client, name: str) -> None:
    headers = {**TOKEN, name: "x", "content-type": CONTENT_TYPE}
    response = await client.http.post("/graphql", content=WHOLE, headers=headers)
    assert response.json()["data"]["keep"]


async def test_several_files_go_where_they_belong_lists_too(client: Client) -> None:
    paths = {"a": ["variables.input.others.1"], "b": ["variables.input.file"], "c": ["variables.input.others.0"]}
    files = [a_file(name, name.encode(), filename=name) for name in paths]
    body = body_of(a_field("operations", {"query": KEEP, "variables": TWO}), a_field("map", paths), *files)
    response = await send(client, body)
    assert response.json() == {"data": {"keep": [kept("b", b"b"), kept("c", b"c"), kept("a", b"a")]}}


async def test_a_file_may_hold_what_looks_like_the_end(client: Client) -> None:
    data = b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n\r\n--\r\n\0\xff" * 1000
    response = await send(client, body_of(OPERATIONS, MAP, a_file("0", data)))
    assert response.json()["data"]["keep"] == [kept("a file", data)]


async def test_a_large_file_lies_on_disk_and_is_whole(client: Client) -> None:
    data = bytes(range(256)) * 20_000
    response = await send(client, body_of(OPERATIONS, MAP, a_file("0", data)))
    assert response.json()["data"]["keep"] == [kept("a file", data)]
    [file] = files_of(client)
    assert file._rolled


async def test_a_page_of_our_own_may_send_one_with_its_cookie(client: Client) -> None:
    headers = {**COOKIE, **HEADER, "origin": "http://testserver", "content-type": CONTENT_TYPE}
    assert (await client.http.post("/graphql", content=WHOLE, headers=headers)).json()["data"]["keep"]


async def test_a_query_may_be_multipart_without_files(client: Client) -> None:
    body = body_of(a_field("operations", {"query": "{ hello }"}), a_field("map", {}))
    assert (await send(client, body)).json() == {"data": {"hello": "Hello, world!"}}


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


# ------------------------------------------------------------------ limits


async def test_an_upload_over_the_limit_is_a_413_declared_or_not() -> None:
    async with client_for(GraphQLSettings(upload_bytes=len(WHOLE) - 1)) as client:
        declared = await send(client, WHOLE)
        assert (declared.status_code, code_of(declared)) == (413, "BAD_USER_INPUT")

        async def chunks():
            for at in range(0, len(WHOLE), 100):
                yield WHOLE[at : at + 100]

        streamed = await send(client, chunks())
        assert (streamed.status_code, code_of(streamed)) == (413, "BAD_USER_INPUT")
        assert streamed.headers["connection"] == "close"
        assert files_of(client) == []
    async with client_for(GraphQLSettings(upload_bytes=len(WHOLE))) as client:
        assert (await send(client, WHOLE)).status_code == 200


async def test_an_upload_that_never_ends_is_a_408() -> None:
    async with client_for(GraphQLSettings(upload_seconds=0.01)) as client:

        async def stalled():
            yield WHOLE[:-20]
            await asyncio.Event().wait()

        response = await send(client, stalled())
        assert (response.status_code, code_of(response)) == (408, "BAD_USER_INPUT")


@pytest_asyncio.fixture
async def crowded() -> AsyncGenerator[Client]:
    """An endpoint that takes three uploads at once, two with the same credentials."""
    async with client_for(GraphQLSettings(uploads_at_once=3, uploads_at_once_each=2, upload_seconds=60)) as made:
        yield made


class Stalled:
    """Uploads that have begun and wait for their last byte."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._go_on = asyncio.Event()
        self.tasks: list[asyncio.Task[httpx.Response]] = []

    async def begin(self, **headers: str) -> None:
        begun = asyncio.Event()

        async def chunks():
            yield WHOLE[:-5]
            begun.set()
            await self._go_on.wait()
            yield WHOLE[-5:]

        self.tasks.append(asyncio.create_task(send(self._client, chunks(), **headers)))
        await begun.wait()

    async def end(self) -> list[int]:
        self._go_on.set()
        return [response.status_code for response in await asyncio.gather(*self.tasks)]


async def test_one_caller_can_not_have_many_uploads_under_way(crowded: Client) -> None:
    stalled = Stalled(crowded)
    for _ in range(2):
        await stalled.begin()
    refused = await send(crowded, WHOLE)
    assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMITED")
    assert refused.json()["errors"][0]["extensions"]["retryAfterSeconds"]

    other = {**COOKIE, "authorization": ""}
    assert (await send(crowded, WHOLE, **other)).status_code == 200
    assert await stalled.end() == [200, 200]
    assert (await send(crowded, WHOLE)).status_code == 200


async def test_all_callers_together_can_not_have_many_uploads_under_way(crowded: Client) -> None:
    stalled = Stalled(crowded)
    for number in range(3):
        await stalled.begin(cookie=f"counterfoil_session={number}", authorization="")
    refused = await send(crowded, WHOLE)
    assert (refused.status_code, code_of(refused)) == (503, "UNAVAILABLE")
    assert await stalled.end() == [200, 200, 200]
    assert (await send(crowded, WHOLE)).status_code == 200


# ------------------------------------------------------------------ files are gone at the end


async def test_files_are_closed_when_the_operation_has_ended(client: Client) -> None:
    await send(client, WHOLE)
    assert [file.closed for file in files_of(client)] == [True]


async def test_files_are_closed_when_the_operation_takes_too_long() -> None:
    async with client_for(GraphQLSettings(operation_seconds=0.05)) as client:
        body = upload_body(
            "mutation ($file: Upload!) { keepSlowly(file: $file) }",
            b"x",
            variables={"file": None},
            path="variables.file",
        )
        response = await send(client, body)
        assert (response.status_code, code_of(response)) == (504, "TIMEOUT")
        assert [file.closed for file in files_of(client)] == [True]


async def test_files_are_closed_when_the_body_is_malformed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = _opened(monkeypatch)
    for body in MALFORMED.values():
        await send(client, body)
    assert len(opened) > 10
    assert [file for file in opened if not file.closed] == []


async def test_files_are_closed_when_the_client_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = _opened(monkeypatch)
    sent: list[Message] = []
    messages: list[Message] = [
        {"type": "http.request", "body": WHOLE[:-20], "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def keep(message: Message) -> None:
        sent.append(message)

    headers = {**TOKEN, **HEADER, "content-type": CONTENT_TYPE}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await make_app(ToyContexts(), GraphQLSettings())(scope, receive, keep)
    assert sent == []
    assert [file.closed for file in opened] == [True]


def _opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    opened: list[Any] = []

    def opening(*arguments: Any, **options: Any) -> Any:
        opened.append(SpooledTemporaryFile(*arguments, **options))  # noqa: SIM115  # whether it is closed is the question
        return opened[-1]

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", opening)
    return opened


# ------------------------------------------------------------------ who may send one


async def _untouched() -> AsyncGenerator[bytes]:
    raise AssertionError("the body was read")
    yield b""


async def test_nobody_sends_a_file_without_credentials(client: Client) -> None:
    response = await send(client, _untouched(), authorization="")
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["connection"] == "close"


async def test_a_token_that_is_good_for_nothing_sends_no_file(client: Client) -> None:
    response = await send(client, _untouched(), authorization="Bearer stolen")
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("header", [{}, {"graphql-require-preflight": " "}, {"x-other": "1"}])
async def test_a_form_of_another_site_can_not_upload(client: Client, header: dict[str, str]) -> None:
    headers = {**COOKIE, "content-type": CONTENT_TYPE, **header}
    for body in (WHOLE, _untouched()):
        response = await client.http.post("/graphql", content=body, headers=headers)
        assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
        assert "header" in response.json()["errors"][0]["message"]
    assert not client.contexts.made


async def test_a_foreign_page_can_not_upload_with_the_cookie(client: Client) -> None:
    response = await send(client, _untouched(), **COOKIE, authorization="", origin="https://evil.example")
    assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")
    assert not client.contexts.made


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed"])
async def test_only_form_data_is_an_upload(client: Client, content_type: str) -> None:
    response = await send(client, WHOLE, f"{content_type}; boundary={BOUNDARY}")
    assert response.status_code == 415
    assert "multipart/form-data" in response.headers["accept-post"]
    assert not client.contexts.made


async def test_only_a_post_is_an_upload(client: Client) -> None:
    headers = {**TOKEN, **HEADER, "content-type": CONTENT_TYPE}
    for method in ("PUT", "PATCH"):
        assert (await client.http.request(method, "/graphql", content=WHOLE, headers=headers)).status_code == 405
    read = await client.http.request("GET", "/graphql", content=WHOLE, headers=headers)
    assert read.status_code == 400
    assert files_of(client) == []


async def test_a_preflight_allows_the_header_where_it_allows_the_content_type() -> None:
    origin = "https://app.example.com"
    async with client_for(GraphQLSettings(allowed_origins=frozenset({origin}))) as client:
        asking = {"origin": origin, "access-control-request-method": "POST"}
        granted = await client.http.options("/graphql", headers=asking)
        allowed = granted.headers["access-control-allow-headers"].split(", ")
        assert {"content-type", "graphql-require-preflight", "apollo-require-preflight", "x-requested-with"} <= set(
            allowed
        )
        refused = await client.http.options("/graphql", headers={**asking, "origin": "https://evil.example"})
        assert "access-control-allow-headers" not in refused.headers
