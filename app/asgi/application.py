"""The application: what every request passes through, and the way past it for sockets."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from app.asgi.graphql import GraphQLEndpoint
from app.asgi.middleware import (
    JsonErrorsMiddleware,
    RequestIdMiddleware,
    SecurityHeadersMiddleware,
    http_error,
    identified,
)


class Application(Starlette):
    """The endpoint and other routes behind the middleware; with `https`, browsers are told to stay on it.

    The endpoint's sockets are handed over at the door. All that lies behind it is for requests, and an open socket would hold a
    frame of every layer for as long as it lasts, and pass through some with every message.
    """

    def __init__(self, endpoint: GraphQLEndpoint, routes: Sequence[BaseRoute] = (), *, https: bool = False) -> None:
        super().__init__(
            routes=[*endpoint.routes, *routes],
            middleware=[
                Middleware(RequestIdMiddleware),
                Middleware(SecurityHeadersMiddleware, https=https),
                Middleware(JsonErrorsMiddleware),
            ],
            exception_handlers={HTTPException: http_error},
        )
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket" or scope["path"] != self._endpoint.path:
            await super().__call__(scope, receive, send)
            return
        # for the log lines of this connection, which has a task to itself
        structlog.contextvars.bind_contextvars(request_id=identified(scope))
        await self._endpoint.sockets(scope, receive, send)
