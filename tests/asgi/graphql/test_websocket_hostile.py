"""Hostile frames: each ends its own connection with a clear code, and the server goes on."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import Served, served
from tests.asgi.graphql.test_request_parser import JSON_VALUES
from tests.asgi.sockets import open_socket, ready_socket

SUBSCRIBE = {"id": "a", "type": "subscribe", "payload": {"query": "{ hello }"}}

MALFORMED: dict[str, str | bytes] = {
    "nothing": "",
    "no JSON": "hello",
    "null": "null",
    "a number": "1",
    "a string": '"ping"',
    "an array": '[{"type":"ping"}]',
    "no type": "{}",
    "a type that is no string": '{"type":1}',
    "an unknown type": '{"type":"start","id":"a"}',
    "a server's type": '{"type":"connection_ack"}',
    "a binary frame": b'{"type":"ping"}',
    "deep brackets": "[" * 5_000,
    "NaN": '{"type":"ping","payload":{"a":NaN}}',
    "1e400": '{"type":"ping","payload":{"a":1e400}}',
    "a long number": '{"type":"ping","payload":{"a":' + "9" * 5_000 + "}}",
    "a lone surrogate": '{"type":"ping","payload":{"a":"\\ud800"}}',
    "a ping whose payload is no object": '{"type":"ping","payload":[1]}',
    "a pong whose payload is no object": '{"type":"pong","payload":"x"}',
    "complete without an id": '{"type":"complete"}',
    "complete with a number": '{"type":"complete","id":1}',
    "subscribe without an id": orjson.dumps({**SUBSCRIBE, "id": None}).decode(),
    "subscribe with an empty id": orjson.dumps({**SUBSCRIBE, "id": ""}).decode(),
    "subscribe with a number": orjson.dumps({**SUBSCRIBE, "id": 1}).decode(),
    "subscribe without a payload": '{"type":"subscribe","id":"a"}',
    "a payload that is no object": orjson.dumps({**SUBSCRIBE, "payload": "{ hello }"}).decode(),
    "no query": orjson.dumps({**SUBSCRIBE, "payload": {}}).decode(),
    "a query that is no string": orjson.dumps({**SUBSCRIBE, "payload": {"query": 1}}).decode(),
    "variables that are no object": orjson.dumps(
        {**SUBSCRIBE, "payload": {"query": "{ hello }", "variables": [1]}}
    ).decode(),
    "an operation name that is no string": orjson.dumps(
        {**SUBSCRIBE, "payload": {"query": "{ hello }", "operationName": {}}}
    ).decode(),
    "extensions that are no object": orjson.dumps(
        {**SUBSCRIBE, "payload": {"query": "{ hello }", "extensions": 1}}
    ).decode(),
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_message_is_4400(server: Served, frame: str | bytes) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.connection.send(frame)
        code, reason = await socket.closed()
        assert code == 4400
        assert reason


async def test_a_malformed_init_is_4400(server: Served) -> None:
    async with open_socket(server.ws_url) as socket:
        await socket.send(type="connection_init", payload="Bearer good-token")
        assert (await socket.closed())[0] == 4400


async def test_a_message_over_the_limit_is_1009(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.send(type="ping", payload={"a": "x" * 9_900})
        assert (await socket.receive())["type"] == "pong"
        await socket.send(type="ping", payload={"a": "x" * 10_000})
        assert (await socket.closed())[0] == 1009


async def test_the_limit_counts_bytes_not_characters(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.send(type="ping", payload={"a": "é" * 6_000})
        assert (await socket.closed())[0] == 1009


async def test_a_reason_is_cut_to_what_a_close_frame_holds(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        for _ in range(2):
            await socket.subscribe("é" * 300, "subscription { forever }")
        code, reason = await socket.closed()
        assert code == 4409
        assert len(reason.encode()) <= 123


async def test_an_id_is_sent_back_as_it_came(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        for identity in ('","type":"error","x":"', "\\", "\n", "🏊", "\0"):
            await socket.subscribe(identity, "{ hello }")
            assert (await socket.receive())["id"] == identity
            assert await socket.receive() == {"id": identity, "type": "complete"}


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind() -> None:
    async with served(GraphQLSettings()) as server:
        for _ in range(20):
            async with open_socket(server.ws_url) as socket:
                await socket.send(type="connection_init")
                for index in range(10):
                    await socket.subscribe(str(index), "subscription { forever }")
                socket.connection.transport.abort()
        async with ready_socket(server.ws_url) as socket:
            await socket.subscribe("a", "{ hello }")
            assert (await socket.receive())["type"] == "next"
    assert all(context.is_closed for context in server.contexts.made)


MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(["connection_init", "ping", "pong", "subscribe", "complete", "next"]) | JSON_VALUES},
    optional={
        "id": st.sampled_from(["a", "b"]) | JSON_VALUES,
        "payload": JSON_VALUES | st.just({"query": "{ hello }"}),
    },
)
FRAMES = st.one_of(
    MESSAGES.map(json.dumps), JSON_VALUES.map(json.dumps), st.text(max_size=100), st.binary(max_size=100)
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FRAMES, min_size=1, max_size=6))
async def test_any_frames_leave_the_connection_open_or_closed_with_a_code(
    server: Served, frames: list[str | bytes]
) -> None:
    async with ready_socket(server.ws_url) as socket:
        try:
            for frame in frames:
                await socket.connection.send(frame)
            await socket.send(id="last", type="subscribe", payload={"query": "{ hello }"})
            while (await socket.receive()).get("id") != "last":
                pass
        except ConnectionClosed:
            assert socket.connection.close_code in {1009, 4400, 4409, 4429}
