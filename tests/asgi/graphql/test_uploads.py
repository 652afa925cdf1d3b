"""Files beside an operation: the multipart request specification, its limits, and who may send one at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio
from starlette.types import Message

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import Client, client_for, code_of, make_app
from tests.asgi.toy_schema import ToyContexts
from tests.asgi.uploading import (
    COOKIE,
    HEADER,
    KEEP,
    MAP,
    OPERATIONS,
    TOKEN,
    TWO,
    WHOLE,
    files_of,
    kept,
    opened_files,
    send,
)
from tests.support.multipart import BOUNDARY, CONTENT_TYPE, a_field, a_file, body_of, upload_body

# ------------------------------------------------------------------ what works


async def test_a_file_takes_the_place_of_the_null_that_the_map_points_to(client: Client) -> None:
    response = await send(client, WHOLE)
    assert (response.status_code, response.json()) == (200, {"data": {"keep": [kept("a file", b"content")]}})


@pytest.mark.parametrize(
    "name", ["graphql-require-preflight", "apollo-require-preflight", "x-apollo-operation-name", "x-requested-with"]
)
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


async def test_files_are_closed_when_the_client_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = opened_files(monkeypatch)
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
        assert {
            *("content-type", "graphql-require-preflight", "apollo-require-preflight", "x-requested-with"),
            *("x-apollo-operation-name", "x-apollo-operation-id", "x-apollo-operation-type"),
            *("apollographql-client-name", "apollographql-client-version"),
        } <= set(allowed)
        refused = await client.http.options("/graphql", headers={**asking, "origin": "https://evil.example"})
        assert "access-control-allow-headers" not in refused.headers
