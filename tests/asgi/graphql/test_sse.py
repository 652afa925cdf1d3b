"""Event streams: the distinct connections mode of GraphQL over server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx
import orjson
import pytest_asyncio

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import Client, Served, code_of, served

STREAM = "text/event-stream"


def events_of(text: str) -> list[tuple[str, object]]:
    """The events of a stream, comments left out."""
    events: list[tuple[str, object]] = []
    for block in text.split("\n\n"):
        lines = dict(line.split(":", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            data = lines["data"].strip()
            events.append((lines["event"].strip(), orjson.loads(data) if data else None))
    return events


@pytest_asyncio.fixture
async def live() -> AsyncGenerator[Served]:
    async with served(GraphQLSettings(stream_keep_alive_seconds=0.01)) as made:
        yield made


async def test_a_subscription_sends_each_event_and_completes(client: Client) -> None:
    for response in (
        await client.post("subscription { count(to: 2) }", accept=STREAM),
        await client.get(query="subscription { count(to: 2) }", accept=STREAM),
        await client.post("subscription { count(to: 2) }", accept=f"application/graphql-response+json, {STREAM}"),
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(STREAM)
        assert events_of(response.text) == [
            ("next", {"data": {"count": 1}}),
            ("next", {"data": {"count": 2}}),
            ("complete", None),
        ]
        assert client.contexts.made[-1].is_closed


async def test_a_query_and_a_mutation_are_streams_of_one(client: Client) -> None:
    query = await client.post("{ hello transport }", accept=STREAM)
    assert events_of(query.text) == [
        ("next", {"data": {"hello": "Hello, world!", "transport": "sse"}}),
        ("complete", None),
    ]
    mutation = await client.post("mutation { signIn }", accept=STREAM)
    assert events_of(mutation.text)[0] == ("next", {"data": {"signIn": True}})
    assert "counterfoil_session=s3cret" in mutation.headers["set-cookie"]


async def test_clients_that_list_every_type_get_plain_answers_to_queries(client: Client) -> None:
    accept = f"application/graphql-response+json, application/json, {STREAM}, multipart/mixed"
    response = await client.post("{ hello }", accept=accept)
    assert response.headers["content-type"].startswith("application/graphql-response+json")


async def test_a_mistake_in_the_document_comes_as_an_event(client: Client) -> None:
    response = await client.post("subscription { nope }", accept=STREAM)
    assert response.status_code == 200
    (kind, answer), end = events_of(response.text)
    assert kind == "next"
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"  # type: ignore[index]
    assert end == ("complete", None)


async def test_wrong_credentials_are_a_401_also_for_streams(client: Client) -> None:
    response = await client.post("subscription { count }", accept=STREAM, headers={"authorization": "Bearer wrong"})
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")


async def test_a_broken_body_is_a_400_also_for_streams(client: Client) -> None:
    response = await client.post_bytes(b"null", accept=STREAM)
    assert response.status_code == 400


async def test_a_source_that_fails_ends_the_stream_with_its_error(client: Client) -> None:
    response = await client.post("subscription { revoked }", accept=STREAM)
    first, second, end = events_of(response.text)
    assert first == ("next", {"data": {"revoked": 1}})
    assert second[1]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"  # type: ignore[index]
    assert end == ("complete", None)
    masked = await client.post("subscription { breaks }", accept=STREAM)
    assert "INTERNAL" in masked.text
    assert "ada@example.com" not in masked.text


async def test_a_silent_stream_sends_comments(live: Served) -> None:
    parameters = {"query": "subscription { forever }"}
    async with (
        httpx.AsyncClient() as http,
        http.stream("GET", live.http_url, params=parameters, headers={"accept": STREAM}) as response,
    ):
        comments = 0
        async for line in response.aiter_lines():
            comments += line == ":"
            if comments == 3:
                break
    assert response.headers["x-accel-buffering"] == "no"


async def test_a_client_that_goes_ends_its_source(live: Served) -> None:
    parameters = {"query": "subscription { forever }"}
    async with (
        httpx.AsyncClient() as http,
        http.stream("GET", live.http_url, params=parameters, headers={"accept": STREAM}) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data"):
                break
    async with asyncio.timeout(5):
        await live.contexts.closed.wait()
    assert live.contexts.made[-1].events == -1


async def test_a_server_that_ends_breaks_streams_off_without_complete(live: Served) -> None:
    parameters = {"query": "subscription { forever }"}
    async with (
        httpx.AsyncClient() as http,
        http.stream("GET", live.http_url, params=parameters, headers={"accept": STREAM}) as response,
    ):
        lines = response.aiter_lines()
        async for line in lines:
            if line.startswith("data"):
                break
        live.ending.set()
        rest = [line async for line in lines]
    assert "event: complete" not in rest
