"""The hash of a query in its place: no query is kept here, so clients are told what makes them send the whole one."""

from __future__ import annotations

import orjson
import pytest

from tests.asgi.conftest import GRAPHQL, JSON, Client, Served, code_of
from tests.asgi.graphql.test_sse import STREAM, events_of
from tests.asgi.sockets import ready_socket
from tests.asgi.uploading import send
from tests.support.multipart import a_field, body_of

EXTENSIONS = {"persistedQuery": {"version": 1, "sha256Hash": "00"}}
HASH_ALONE = {"operationName": "Hello", "variables": {}, "extensions": EXTENSIONS}
ERRORS = [{"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}]


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL, 400), (JSON, 200), ("*/*", 200)])
async def test_the_hash_of_a_query_without_the_query_is_not_supported(client: Client, accept: str, status: int) -> None:
    encoded = orjson.dumps(EXTENSIONS).decode()
    for response in (
        await client.http.post("/graphql", json=HASH_ALONE, headers={"accept": accept}),
        await client.http.post("/graphql", json=HASH_ALONE | {"query": None}, headers={"accept": accept}),
        await client.http.post("/graphql", json=HASH_ALONE | {"query": ""}, headers={"accept": accept}),
        await client.get(accept=accept, extensions=encoded, operationName="Hello"),
        await send(client, body_of(a_field("operations", HASH_ALONE), a_field("map", {})), accept=accept),
    ):
        assert (response.status_code, response.json()) == (status, {"errors": ERRORS})
        assert response.headers["cache-control"] == "no-store"


async def test_an_event_stream_says_so_in_its_only_event(client: Client) -> None:
    for response in (
        await client.http.post("/graphql", json=HASH_ALONE, headers={"accept": STREAM}),
        await client.get(accept=STREAM, extensions=orjson.dumps(EXTENSIONS).decode()),
    ):
        assert response.status_code == 200
        assert events_of(response.text) == [("next", {"errors": ERRORS}), ("complete", None)]


async def test_a_socket_says_so_of_the_operation_and_stays_open(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        answer = await socket.ask(id="a", type="subscribe", payload=HASH_ALONE)
        assert answer == {"id": "a", "type": "error", "payload": ERRORS}
        await socket.subscribe("a", "{ hello }", extensions=EXTENSIONS)
        assert (await socket.receive())["payload"] == {"data": {"hello": "Hello, world!"}}


async def test_the_hash_beside_the_query_means_nothing(client: Client) -> None:
    response = await client.post("{ hello }", extensions=EXTENSIONS)
    assert response.json() == {"data": {"hello": "Hello, world!"}}


@pytest.mark.parametrize("extensions", [None, {}, {"persistedQuery": None}, {"other": 1}])
async def test_without_a_hash_the_query_is_missing(client: Client, extensions: object) -> None:
    response = await client.http.post("/graphql", json={"extensions": extensions}, headers={"accept": GRAPHQL})
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
    assert response.json()["errors"][0]["message"] == "The query is missing."
