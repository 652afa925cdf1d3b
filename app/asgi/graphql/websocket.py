"""GraphQL over WebSocket: the `graphql-transport-ws` protocol, and only that one."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import cast

import orjson
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.asgi.graphql.execution import Engine
from app.asgi.graphql.http_answers import error_objects
from app.asgi.graphql.request_headers import bearer_token, is_allowed_origin, request_info
from app.asgi.graphql.request_parser import GraphQLRequest, JsonObject, MalformedRequest, read_object, read_parameters
from app.asgi.graphql.transport_context import RequestInfo
from app.errors import ProtocolError, QueryTooComplex
from app.ids import uuid7

SUBPROTOCOL = "graphql-transport-ws"
RESTARTING = "The server restarts"
_CLOSE_REASON_BYTES = 123


class CloseCode(IntEnum):
    """Why the server ended a connection, as the protocol numbers it.

    After 1012, 1013, 4403 and 4408 the stock client connects again, after the others it gives up for good; so it would after 1011
    and 4500, which are therefore not among them: a fault of ours may have passed by the next time.
    """

    MESSAGE_TOO_BIG = 1009
    RESTARTING = 1012
    TRY_AGAIN_LATER = 1013
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_INITS = 4429


class Closing(Exception):
    """The connection must end, with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True, eq=False)
class GraphQLWebSocket:
    """The ASGI application of the endpoint for WebSocket connections."""

    engine: Engine
    ending: asyncio.Event
    connections: set[Connection] = field(default_factory=set["Connection"])
    watcher: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = await self._accept(scope, receive, send)
        if connection is None:
            return
        if self.watcher is None:
            self.watcher = asyncio.create_task(self._stop_all())
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    async def _accept(self, scope: Scope, receive: Receive, send: Send) -> Connection | None:
        socket = WebSocket(scope, receive, send)
        if "origin" in socket.headers and not is_allowed_origin(socket, self.engine.settings):
            await socket.close()  # before it is accepted: the handshake answers 403
            return None
        if SUBPROTOCOL not in scope["subprotocols"]:
            await socket.accept()
            await socket.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, f"Offer the subprotocol {SUBPROTOCOL}")
            return None
        info = request_info(socket, self.engine.settings, "websocket")
        await socket.accept(SUBPROTOCOL)
        if self.ending.is_set():
            await socket.close(CloseCode.RESTARTING, RESTARTING)
            return None
        # From here on past the state machine of WebSocket, which would cost as much as the sending.
        return Connection(self.engine, receive, send, info)

    async def _stop_all(self) -> None:
        """One task that waits for all connections: one for each would be half the memory of a connection."""
        await self.ending.wait()
        for connection in self.connections:
            connection.stop()


@dataclass(slots=True, eq=False)
class Connection:
    """One client: reads its messages and runs each of its operations in a task of its own."""

    engine: Engine
    raw_receive: Receive
    raw_send: Send
    info: RequestInfo
    is_acknowledged: bool = False
    has_initialised: bool = False
    operations: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, "asyncio.Task[None]"])
    """Those that the client may still complete, by its id."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])
    """The same and those that are still cleaning up."""
    reader: asyncio.Task[object] | None = None
    is_stopping: bool = False

    async def run(self) -> None:
        """Serve until the client goes, breaks the protocol, or `stop` is called."""
        self.reader = asyncio.current_task()
        try:
            closing = await self._read()
        except asyncio.CancelledError:
            if not self.is_stopping:
                raise
            closing = Closing(CloseCode.RESTARTING, RESTARTING)
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
        if closing is not None:
            with suppress(OSError):  # the client may have gone meanwhile
                await self.raw_send({"type": "websocket.close", "code": closing.code, "reason": _short(closing.reason)})

    def stop(self) -> None:
        """End every operation and close, so that the client connects again elsewhere."""
        if self.reader is not None and not self.is_stopping:
            self.is_stopping = True
            self.reader.cancel()

    async def _read(self) -> Closing | None:
        """Handle messages until the end; how to close, or None if the client is gone."""
        try:
            async with asyncio.timeout(self.engine.settings.socket_init_seconds) as deadline:
                while True:
                    await self._handle(await self._receive())
                    if self.has_initialised:
                        deadline.reschedule(None)
        except Closing as closing:
            return closing
        except MalformedRequest as error:
            return Closing(CloseCode.BAD_MESSAGE, error.message)
        except TimeoutError:
            return Closing(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
        except WebSocketDisconnect:
            return None

    async def _receive(self) -> JsonObject:
        message = await self.raw_receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        if not isinstance(text, str):
            raise MalformedRequest("Messages are text, not binary.")
        if len(text.encode()) > self.engine.settings.socket_message_bytes:
            raise Closing(CloseCode.MESSAGE_TOO_BIG, "The message is too big")
        return read_object(text, "message")

    async def _handle(self, message: JsonObject) -> None:
        match message.get("type"):
            case "connection_init":
                await self._initialise(_payload(message))
            case "ping":
                payload = _payload(message)
                await self._send({"type": "pong", **({"payload": payload} if payload else {})})
            case "pong":
                _payload(message)
            case "subscribe":
                await self._subscribe(_id(message), message.get("payload"))
            case "complete":
                task = self.operations.pop(_id(message), None)
                if task is not None:
                    task.cancel()
            case _:
                raise MalformedRequest("The type of the message is unknown.")

    async def _initialise(self, payload: JsonObject) -> None:
        if self.has_initialised:
            raise Closing(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")
        self.has_initialised = True
        authorization = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if authorization is not None:
            token = bearer_token(authorization)
            if token is None:
                raise Closing(CloseCode.FORBIDDEN, "authorization must be 'Bearer' and a token")
            self.info = replace(self.info, bearer_token=token)
        try:
            async with self.engine.context(self.info):
                pass  # only to see whether the credentials hold
        except Exception as error:
            raise self._credentials_refused(error) from None
        self.is_acknowledged = True
        await self._send({"type": "connection_ack"})

    def _credentials_refused(self, error: Exception) -> Closing:
        answer = self.engine.errors.format(error, self.info.request_id)
        match answer["extensions"]:
            case {"code": "UNAUTHENTICATED" | "FORBIDDEN"}:
                code = CloseCode.FORBIDDEN
            case _:
                code = CloseCode.TRY_AGAIN_LATER
        return Closing(code, str(answer["message"]))

    async def _subscribe(self, operation_id: str, payload: object) -> None:
        if not self.is_acknowledged:
            raise Closing(CloseCode.UNAUTHORIZED, "Unauthorized")
        if operation_id in self.operations:
            raise Closing(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {operation_id} already exists")
        if not isinstance(payload, dict):
            raise MalformedRequest("The payload of a subscribe message must be an object.")
        try:
            request = read_parameters(cast("JsonObject", payload))
            if len(self.tasks) >= self.engine.settings.socket_operations:
                raise QueryTooComplex(
                    f"This connection runs {len(self.tasks)} operations already; complete some first."
                )
        except MalformedRequest:
            raise
        except ProtocolError as error:
            await self._send_errors(operation_id, error, self.info.request_id)
            return
        task = asyncio.create_task(self._operate(operation_id, request))
        self.operations[operation_id] = task
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _operate(self, operation_id: str, request: GraphQLRequest) -> None:
        info = replace(self.info, request_id=str(uuid7()))
        head = f'{{"id":{orjson.dumps(operation_id).decode()},"type":"next","payload":'
        try:
            async with (
                self.engine.operation(request, info) as operation,
                aclosing(operation.results()) as results,
            ):
                async for result in results:
                    await self._send_text(f"{head}{result}}}")
            self._forget(operation_id)
            await self._send({"id": operation_id, "type": "complete"})
        except WebSocketDisconnect:
            return
        except Exception as error:
            self._forget(operation_id)
            with suppress(WebSocketDisconnect):
                await self._send_errors(operation_id, error, info.request_id)

    def _forget(self, operation_id: str) -> None:
        """The id may be used again as soon as the client learns that its operation has ended."""
        if self.operations.get(operation_id) is asyncio.current_task():
            del self.operations[operation_id]

    async def _send_errors(self, operation_id: str, error: Exception, request_id: str) -> None:
        objects = error_objects(error, self.engine.errors, request_id)
        await self._send({"id": operation_id, "type": "error", "payload": objects})

    async def _send(self, message: JsonObject) -> None:
        await self._send_text(orjson.dumps(message).decode())

    async def _send_text(self, text: str) -> None:
        try:
            await self.raw_send({"type": "websocket.send", "text": text})
        except OSError:
            raise WebSocketDisconnect(1006) from None


def _payload(message: JsonObject) -> JsonObject:
    payload = message.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise MalformedRequest("The payload must be an object.")
    return cast("JsonObject", payload)


def _id(message: JsonObject) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not operation_id:
        raise MalformedRequest("The id must be a string with at least one character.")
    return operation_id


def _short(reason: str) -> str:
    """A close frame has room for 123 bytes."""
    return reason.encode()[:_CLOSE_REASON_BYTES].decode(errors="ignore")
