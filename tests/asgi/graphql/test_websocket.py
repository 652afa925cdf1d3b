"""GraphQL over WebSocket: what the protocol promises, and each of its close codes."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import InvalidStatus

from app.asgi.graphql import GraphQLSettings
from app.errors import OperationTimeout, RateLimited, Unavailable
from tests.asgi.conftest import Served, served
from tests.asgi.sockets import open_socket, ready_socket


async def test_queries_and_mutations_answer_once_and_complete(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        for query, data in (
            ("{ hello transport }", {"hello": "Hello, world!", "transport": "websocket"}),
            ("mutation { signIn }", {"signIn": True}),
        ):
            await socket.subscribe("a", query)
            assert await socket.receive() == {"id": "a", "type": "next", "payload": {"data": data}}
            assert await socket.receive() == {"id": "a", "type": "complete"}


async def test_a_subscription_sends_each_event_and_completes(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.subscribe(
            "a", "subscription Q($to: Int!) { count(to: $to) }", variables={"to": 2}, operationName="Q"
        )
        received = [await socket.receive() for _ in range(3)]
    assert received == [
        {"id": "a", "type": "next", "payload": {"data": {"count": 1}}},
        {"id": "a", "type": "next", "payload": {"data": {"count": 2}}},
        {"id": "a", "type": "complete"},
    ]


async def test_operations_run_beside_each_other(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.subscribe("slow", "{ later(seconds: 30) }")
        await socket.subscribe("fast", "{ hello }")
        assert (await socket.receive())["id"] == "fast"


async def test_each_operation_gets_a_fresh_context_that_is_closed(server: Served) -> None:
    server.contexts.made.clear()
    async with ready_socket(server.ws_url) as socket:
        for _ in range(2):
            await socket.subscribe("a", "{ hello }")
            assert [(await socket.receive())["type"] for _ in range(2)] == ["next", "complete"]
    contexts = server.contexts.made[1:]  # the first one judged the credentials
    assert len({context.request.request_id for context in contexts}) == 2
    assert all(context.is_closed for context in contexts)


async def test_the_token_of_the_init_payload_authenticates(server: Served) -> None:
    for payload in ({"authorization": "Bearer good-token"}, {"Authorization": "bearer good-token"}):
        async with ready_socket(server.ws_url, payload) as socket:
            await socket.subscribe("a", "{ viewer }")
            assert (await socket.receive())["payload"] == {"data": {"viewer": "ada"}}


async def test_the_cookie_of_our_own_page_authenticates(server: Served) -> None:
    origin = f"http://{server.address}"
    async with open_socket(server.ws_url, origin=origin, cookie="counterfoil_session=s3cret") as socket:
        await socket.ask(type="connection_init")
        await socket.subscribe("a", "{ viewer }")
        assert (await socket.receive())["payload"] == {"data": {"viewer": "ada"}}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
@pytest.mark.parametrize("cookie", ["counterfoil_session=s3cret", None])
async def test_a_socket_from_a_foreign_page_is_refused_in_the_handshake(
    server: Served, origin: str, cookie: str | None
) -> None:
    with pytest.raises(InvalidStatus) as raised:
        async with open_socket(server.ws_url, origin=origin, cookie=cookie):
            pass
    assert raised.value.response.status_code == 403


async def test_errors_before_execution_are_an_error_message_and_the_id_is_free_again(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        for query, code in (
            ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("query($a: Int!) { add(left: $a) }", "BAD_USER_INPUT"),
            ("{" + " ".join(f"a{index}: hello" for index in range(101)) + "}", "QUERY_TOO_COMPLEX"),
            ("query A { hello } query B { hello }", "BAD_USER_INPUT"),
            ("subscription { forbidden }", "NOT_FOUND"),
            ('{ hello(name: "\\u0000") }', "BAD_USER_INPUT"),
        ):
            await socket.subscribe("a", query)
            message = await socket.receive()
            assert (message["id"], message["type"]) == ("a", "error")
            assert message["payload"][0]["extensions"]["code"] == code


async def test_a_nul_in_variables_is_an_error_of_the_operation_alone(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.subscribe("a", "query($n: String!) { hello(name: $n) }", variables={"n": "\0"})
        assert (await socket.receive())["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert await socket.ask(type="ping") == {"type": "pong"}


async def test_a_field_error_is_part_of_the_result(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.subscribe("a", "{ broken }")
        message = await socket.receive()
        assert message["type"] == "next"
        assert message["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert (await socket.receive())["type"] == "complete"


async def test_a_source_that_fails_ends_with_an_error_message(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        for query, code in (("subscription { revoked }", "UNAUTHENTICATED"), ("subscription { breaks }", "INTERNAL")):
            await socket.subscribe("a", query)
            assert (await socket.receive())["type"] == "next"
            message = await socket.receive()
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == code
            assert "ada@example.com" not in str(message)


async def test_complete_ends_the_source_and_frees_the_id(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.subscribe("a", "subscription { forever }")
        await socket.receive()
        context = server.contexts.made[-1]
        await socket.send(id="a", type="complete")
        await socket.subscribe("a", "{ hello }")
        assert (await socket.receive())["payload"] == {"data": {"hello": "Hello, world!"}}
        assert context.events == -1
        assert context.is_closed


async def test_complete_of_an_unknown_id_means_nothing(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.send(id="unknown", type="complete")
        assert await socket.ask(type="ping") == {"type": "pong"}


async def test_ping_is_answered_with_its_payload_also_before_init(server: Served) -> None:
    async with open_socket(server.ws_url) as socket:
        assert await socket.ask(type="ping", payload={"a": 1}) == {"type": "pong", "payload": {"a": 1}}
        await socket.send(type="pong")
        assert await socket.ask(type="connection_init") == {"type": "connection_ack"}


async def test_a_client_that_goes_ends_its_sources(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.subscribe("a", "subscription { forever }")
        await socket.receive()
        server.contexts.closed.clear()
        context = server.contexts.made[-1]
    async with asyncio.timeout(5):
        await server.contexts.closed.wait()
    assert context.events == -1


async def test_operations_beyond_the_limit_are_refused_one_by_one(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        for index in range(5):
            await socket.subscribe(str(index), "subscription { forever }")
            await socket.receive()
        await socket.subscribe("5", "{ hello }")
        message = await socket.receive()
        assert (message["id"], message["type"]) == ("5", "error")
        assert message["payload"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
        await socket.send(id="0", type="complete")
        assert await socket.ask(type="ping") == {"type": "pong"}
        await socket.subscribe("5", "{ hello }")
        assert (await socket.receive())["type"] == "next"


async def test_no_init_in_time_is_4408(server: Served) -> None:
    async with open_socket(server.ws_url) as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")


async def test_pings_do_not_put_the_init_off(server: Served) -> None:
    async with open_socket(server.ws_url) as socket:
        for _ in range(3):
            await socket.ask(type="ping")
        assert (await socket.closed())[0] == 4408


async def test_after_init_a_silent_client_may_stay() -> None:
    async with served(GraphQLSettings(socket_init_seconds=0.05)) as server, ready_socket(server.ws_url) as socket:
        await asyncio.sleep(0.1)
        assert await socket.ask(type="ping") == {"type": "pong"}


async def test_a_second_init_is_4429(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.send(type="connection_init")
        assert await socket.closed() == (4429, "Too many initialisation requests")


async def test_subscribe_before_init_is_4401(server: Served) -> None:
    async with open_socket(server.ws_url) as socket:
        await socket.subscribe("a", "{ hello }")
        assert await socket.closed() == (4401, "Unauthorized")


@pytest.mark.parametrize(
    "authorization", ["Bearer wrong", "Basic Zm9v", "good-token", "Bearer ", 1, None, ["Bearer good-token"]]
)
async def test_wrong_credentials_are_4403(server: Served, authorization: object) -> None:
    async with open_socket(server.ws_url) as socket:
        await socket.send(type="connection_init", payload={"authorization": authorization})
        if authorization is None:
            assert await socket.receive() == {"type": "connection_ack"}
        else:
            assert (await socket.closed())[0] == 4403


@pytest.mark.parametrize(
    "fault",
    [Unavailable(), ConnectionRefusedError(), RateLimited(10), OperationTimeout(), TimeoutError(), KeyError("a bug")],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_fault_that_may_pass_is_never_a_code_to_give_up_on(fault: Exception) -> None:
    async with served(GraphQLSettings()) as server:
        server.contexts.fault = fault
        async with open_socket(server.ws_url) as socket:
            await socket.send(type="connection_init")
            assert (await socket.closed())[0] == 1013
        server.contexts.fault = None
        async with ready_socket(server.ws_url) as socket:
            await socket.subscribe("a", "{ hello }")
            assert (await socket.receive())["type"] == "next"


@pytest.mark.parametrize("is_initialised", [False, True])
async def test_a_client_that_answers_no_ping_may_come_back(is_initialised: bool) -> None:
    async with (
        served(GraphQLSettings(), ws_ping_interval=0.1, ws_ping_timeout=0.1) as server,
        open_socket(server.ws_url) as socket,
    ):
        if is_initialised:
            assert await socket.ask(type="connection_init") == {"type": "connection_ack"}
        # a device that sleeps reads nothing, and so answers no ping
        socket.connection.transport.pause_reading()
        await asyncio.sleep(0.5)
        socket.connection.transport.resume_reading()
        assert await socket.closed() == (1013, "No answer to a ping")


async def test_an_id_in_use_is_4409(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.subscribe("a", "subscription { forever }")
        await socket.subscribe("a", "subscription { forever }")
        assert await socket.closed() == (4409, "Subscriber for a already exists")


@pytest.mark.parametrize("subprotocol", ["graphql-ws", "something-else", None])
async def test_other_protocols_are_4406(server: Served, subprotocol: str | None) -> None:
    async with open_socket(server.ws_url, subprotocol=subprotocol) as socket:
        assert (await socket.closed())[0] == 4406


async def test_a_server_that_ends_closes_with_1012_and_ends_the_sources() -> None:
    async with served(GraphQLSettings()) as server, ready_socket(server.ws_url) as socket:
        await socket.subscribe("a", "subscription { forever }")
        await socket.receive()
        server.ending.set()
        assert (await socket.closed())[0] == 1012
        assert server.contexts.made[-1].events == -1
        async with open_socket(server.ws_url) as late:
            assert (await late.closed())[0] == 1012


async def test_one_event_that_takes_too_long_ends_its_operation_alone() -> None:
    async with served(GraphQLSettings(operation_seconds=0.05)) as server, ready_socket(server.ws_url) as socket:
        await socket.subscribe("a", "{ later(seconds: 60) }")
        assert (await socket.receive())["payload"][0]["extensions"]["code"] == "TIMEOUT"
        await socket.subscribe("b", "subscription { count(to: 2, pause: 0.1) }")
        assert [(await socket.receive())["type"] for _ in range(3)] == ["next", "next", "complete"]


async def test_a_client_that_does_not_read_is_not_queued_for(server: Served) -> None:
    async with ready_socket(server.ws_url) as socket:
        await socket.subscribe("a", "subscription { flood }")
        await socket.receive()
        context = server.contexts.made[-1]
        asked = -1
        async with asyncio.timeout(20):
            while asked != context.events:  # until the socket's buffers are full and the source is asked no more
                asked = context.events
                await asyncio.sleep(0.3)
        assert asked < 5_000
        context.closed.clear()
        socket.connection.transport.abort()
        async with asyncio.timeout(5):
            await context.closed.wait()
        assert context.events == -1
