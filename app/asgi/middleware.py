"""What every answer of the server has: a request id, security headers, and JSON where something went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.ids import uuid7

_SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_HIDDEN_HEADERS = (b"server", b"x-powered-by")
_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_CODE_BY_STATUS = {404: "NOT_FOUND", 503: "UNAVAILABLE"}
_MESSAGE_BY_STATUS = {404: "There is nothing here.", 405: "This method is not allowed here."}

_log: structlog.stdlib.BoundLogger = structlog.get_logger("counterfoil.http")


def identified(scope: Scope) -> str:
    """The id of a request or socket, in `scope["state"]["request_id"]` from now on; one that a proxy set is kept if well formed."""
    given = Headers(scope=scope).get("x-request-id", "")
    request_id = given if _WELL_FORMED_ID.fullmatch(given) else str(uuid7())
    scope.setdefault("state", {})["request_id"] = request_id
    return request_id


class RequestIdMiddleware:
    """Gives each request an id (`identified`), which is in every log line and in the `X-Request-ID` header too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = identified(scope)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, send_with_id if scope["type"] == "http" else send)


class SecurityHeadersMiddleware:
    """Adds the headers that keep browsers careful, unless an answer brings its own; takes away what names the software.

    Nothing may be cached, but for what sets its own `Cache-Control`. With `https`, browsers are told to stay on it.
    """

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self.app = app
        headers = _SECURITY_HEADERS | ({"strict-transport-security": "max-age=31536000"} if https else {})
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [header for header in message["headers"] if header[0].lower() not in _HIDDEN_HEADERS]
                names = {name.lower() for name, _ in given}
                message["headers"] = given + [header for header in self.headers if header[0] not in names]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class JsonErrorsMiddleware:
    """The last resort: an exception that nothing handled becomes a 500 in JSON, logged once by type and place, not by message."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_and_see(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_see)
        except Exception as error:
            _log_unexpected(error)
            if started:
                raise  # half an answer is out: only the connection can be broken off
            request_id = str(scope.get("state", {}).get("request_id", ""))
            extensions = {"code": "INTERNAL", "requestId": request_id}
            await _json_error(500, "Something went wrong on our side.", extensions)(scope, receive, send)


async def http_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for HTTPException: 404, 405 and the like in the same JSON shape as all other errors."""
    assert isinstance(error, HTTPException)
    message = _MESSAGE_BY_STATUS.get(error.status_code, error.detail)
    extensions = {"code": _CODE_BY_STATUS.get(error.status_code, "BAD_USER_INPUT")}
    return _json_error(error.status_code, message, extensions, (error.headers or {}).items())


def _json_error(
    status: int, message: str, extensions: dict[str, str], headers: Iterable[tuple[str, str]] = ()
) -> Response:
    body = orjson.dumps({"errors": [{"message": message, "extensions": extensions}]})
    return Response(body, status, dict(headers), media_type="application/json")


def _log_unexpected(error: Exception) -> None:
    frames: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno} {trace.tb_frame.f_code.co_name}")
        trace = trace.tb_next
    _log.error("http.unexpected_error", error=type(error).__qualname__, frames=frames)
