"""GraphQL over HTTP: one operation per request, answered as JSON or as an event stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Final

import orjson
from graphql.language import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.asgi.graphql import http_answers, request_bodies, request_parser
from app.asgi.graphql.execution import Engine, Operation
from app.asgi.graphql.explorer import Explorer
from app.asgi.graphql.http_answers import HttpRefusal
from app.asgi.graphql.negotiation import EVENT_STREAM, GRAPHQL_RESPONSE, JSON, Accepted, accepted
from app.asgi.graphql.request_headers import request_id, request_info
from app.asgi.graphql.request_parser import GraphQLRequest, PersistedQueryNotSupported
from app.asgi.graphql.sse import COMPLETE, EventStream, next_event
from app.asgi.graphql.uploads import MULTIPART, UploadSlots, boundary_of, upload
from app.errors import Unauthenticated

_ACCEPT_POST = {"accept-post": f"{JSON}, {MULTIPART}"}

_REFUSED_BODY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class GraphQLHttp:
    """The ASGI application of the endpoint for HTTP requests."""

    engine: Engine
    explorer: Explorer
    ending: asyncio.Event
    slots: UploadSlots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        wanted = accepted(request.headers.get("accept"))
        async with AsyncExitStack() as running:
            try:
                response = await self._respond(request, wanted, running)
            except ClientDisconnect:
                return
            except PersistedQueryNotSupported as error:
                response = self._document_refused(request, wanted, error)
            except Exception as error:  # whatever it was, the answer has the shape of GraphQL
                response = self._refusal(request, wanted, error)
            if isinstance(response, Response):
                response.headers.update(http_answers.cross_origin_headers(request, self.engine.settings))
                await running.aclose()
            await response(scope, receive, send)

    async def _respond(self, request: Request, wanted: Accepted, running: AsyncExitStack) -> ASGIApp:
        settings = self.engine.settings
        if request.method == "OPTIONS":
            return http_answers.preflight(request, settings)
        if request.method not in ("GET", "POST"):
            raise HttpRefusal(405, "Use GET for queries or POST.", {"allow": http_answers.ALLOWED_METHODS})
        if request.method == "GET" and wanted.prefers_html:
            return await self._page(request)
        if wanted.single is None and not wanted.event_stream:
            raise HttpRefusal(406, f"Answers come as {GRAPHQL_RESPONSE}, {JSON} or {EVENT_STREAM}.")
        if request.method == "GET":
            graphql_request = request_parser.read_query_string(request.scope["query_string"])
        else:
            _check_content_headers(request)
            if _media_type(request) == MULTIPART:
                return await self._upload(request, wanted, running)
            graphql_request = request_parser.read_body(
                await request_bodies.read(request, settings.body_bytes, settings.body_seconds)
            )
        return await self._operate(request, graphql_request, wanted, running)

    async def _upload(self, request: Request, wanted: Accepted, running: AsyncExitStack) -> ASGIApp:
        """Who sends files is known before any of their bytes is read."""
        settings = self.engine.settings
        try:
            boundary = boundary_of(request)
            # what this finds is thrown away, so nothing of it can be handed over
            info = replace(request_info(request, settings, "http"), takes_cookies=False)
            async with self.engine.context(info) as context:
                if not context.is_authenticated:
                    raise Unauthenticated
            running.enter_context(self.slots.taken(info.bearer_token or info.session_cookie or ""))
        except Exception as error:
            refusal = self._refusal(request, wanted, error)
            # a large body is not waited for
            await request_bodies.discard(request, settings.body_bytes, _REFUSED_BODY_SECONDS)
            refusal.headers["connection"] = "close"
            return refusal
        graphql_request = await running.enter_async_context(upload(request, boundary, settings))
        return await self._operate(request, graphql_request, wanted, running)

    async def _page(self, request: Request) -> Response:
        info = request_info(request, self.engine.settings, "http")
        async with self.engine.context(info) as context:
            if not self.explorer.is_open_to(is_authenticated=context.is_authenticated):
                raise HttpRefusal(406, f"There is no page here. Answers come as {GRAPHQL_RESPONSE} or {JSON}.")
            page = self.explorer.page()
            http_answers.set_cookies(page, context.cookies, self.engine.settings)
        return page

    async def _operate(
        self, request: Request, graphql_request: GraphQLRequest, wanted: Accepted, running: AsyncExitStack
    ) -> ASGIApp:
        settings = self.engine.settings
        info = request_info(request, settings, "sse" if wanted.prefers_event_stream else "http")
        try:
            operation = await running.enter_async_context(self.engine.operation(graphql_request, info))
            if operation.kind is OperationType.MUTATION and request.method != "POST":
                raise HttpRefusal(405, "Mutations are only accepted by POST.", {"allow": "POST"})
            if operation.kind is OperationType.SUBSCRIPTION and _media_type(request) == MULTIPART:
                raise HttpRefusal(400, f"Subscriptions take no files: send them as {JSON}.")
            if operation.kind is OperationType.SUBSCRIPTION:
                return self._subscribe(request, operation, wanted)
            body, cookies = await operation.result(), operation.context.cookies
        except HttpRefusal:
            raise
        except Exception as error:
            return self._document_refused(request, wanted, error)
        if wanted.prefers_event_stream:
            return http_answers.success(_one_event(body), EVENT_STREAM, cookies, settings)
        return http_answers.success(body, wanted.single or JSON, cookies, settings)

    def _subscribe(self, request: Request, operation: Operation, wanted: Accepted) -> EventStream:
        if not wanted.event_stream:
            raise HttpRefusal(406, f"Subscriptions need a WebSocket, or an Accept header with {EVENT_STREAM}.")
        settings = self.engine.settings
        headers = http_answers.cross_origin_headers(request, settings)
        return EventStream(
            self._events(request, operation),
            settings.stream_keep_alive_seconds,
            headers,
            self.ending,
            cookies=http_answers.cookie_headers(operation.context.cookies, settings),
        )

    async def _events(self, request: Request, operation: Operation) -> AsyncGenerator[str]:
        try:
            async with aclosing(operation.results()) as results:
                async for result in results:
                    yield next_event(result)
        except Exception as error:  # the stream has begun: errors can only be one more event
            objects = http_answers.error_objects(error, self.engine.errors, request_id(request))
            yield next_event(orjson.dumps({"errors": objects}).decode())
        yield COMPLETE

    def _document_refused(self, request: Request, wanted: Accepted, error: Exception) -> Response:
        """The answer to a mistake in what was asked, which a stream tells as its only event."""
        refusal = self._refusal(request, wanted, error, in_document=True)
        if not wanted.prefers_event_stream or refusal.status_code not in (200, 400):
            return refusal
        return http_answers.success(_one_event(bytes(refusal.body)), EVENT_STREAM, [], self.engine.settings)

    def _refusal(self, request: Request, wanted: Accepted, error: Exception, *, in_document: bool = False) -> Response:
        return http_answers.refusal(
            error, self.engine.errors, request_id(request), wanted.single, in_document=in_document
        )


def _one_event(result: bytes) -> bytes:
    """The whole stream of an operation that has one result."""
    return (next_event(result.decode()) + COMPLETE).encode()


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_content_headers(request: Request) -> None:
    """JSON or multipart in UTF-8 and nothing else: a cross-site form can't send the one without asking first, and lacks the header
    that the other needs."""
    media_type, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if media_type not in (JSON, MULTIPART):
        raise HttpRefusal(415, f"Send the request as {JSON}, or with files as {MULTIPART}.", _ACCEPT_POST)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise HttpRefusal(415, "Send the request in UTF-8.", _ACCEPT_POST)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HttpRefusal(415, "Send the request without compression.", {"accept-encoding": "identity"})
