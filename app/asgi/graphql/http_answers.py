"""HTTP answers: status codes, error bodies, cookies, cross-origin headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.asgi.graphql.error_formatter import ErrorFormatter, ErrorObject, RequestRefused
from app.asgi.graphql.graphql_settings import GraphQLSettings
from app.asgi.graphql.negotiation import JSON
from app.asgi.graphql.request_headers import is_allowed_origin
from app.asgi.graphql.transport_context import SetCookie
from app.errors import ProtocolError

ALLOWED_METHODS = "GET, POST, OPTIONS"
PREFLIGHT_HEADERS = (
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "x-requested-with",
)
"""Each shows that no form sent a request; the third is sent by Apollo's mobile clients by themselves."""

# what Apollo's clients send beside it, which means nothing to us but must not keep a page of an allowed origin out
_POLITE_HEADERS = (
    "x-apollo-operation-id",
    "x-apollo-operation-type",
    "apollographql-client-name",
    "apollographql-client-version",
)
_STATUS_BY_CODE = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "RATE_LIMITED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "TIMEOUT": 504,
}


class HttpRefusal(ProtocolError):
    """The HTTP around a request is wrong: answered with this status whatever the caller accepts."""

    code = "BAD_USER_INPUT"

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def success(body: bytes, media_type: str, cookies: Iterable[SetCookie], settings: GraphQLSettings) -> Response:
    """An executed operation: 200, also when some fields failed."""
    response = Response(body, 200, media_type=f"{media_type}; charset=utf-8")
    set_cookies(response, cookies, settings)
    return response


def set_cookies(response: Response, cookies: Iterable[SetCookie], settings: GraphQLSettings) -> None:
    """Have the response set these cookies."""
    for cookie in cookies:
        response.set_cookie(
            cookie.name,
            cookie.value,
            max_age=cookie.max_age_seconds,
            httponly=True,
            samesite="lax",
            secure=settings.secure_cookies,
        )


def cookie_headers(cookies: Iterable[SetCookie], settings: GraphQLSettings) -> list[str]:
    """What the headers `Set-Cookie` of an answer say that is no `Response`."""
    response = Response()
    set_cookies(response, cookies, settings)
    return response.headers.getlist("set-cookie")


def error_objects(error: BaseException, formatter: ErrorFormatter, request_id: str) -> list[ErrorObject]:
    """What goes into `errors` for an exception that ended a request."""
    if isinstance(error, RequestRefused):
        return formatter.format_all(error.errors, request_id)
    return [formatter.format(error, request_id)]


def refusal(
    error: BaseException, formatter: ErrorFormatter, request_id: str, media_type: str | None, *, in_document: bool
) -> Response:
    """A request that ended before it was executed: `errors` and no `data`.

    Who asked for plain `application/json` gets 200 for mistakes in the document and its variables (`in_document`), because
    clients of that age take any other status for a broken network.
    """
    objects = error_objects(error, formatter, request_id)
    code = cast("dict[str, object]", objects[0]["extensions"])["code"] if objects else "INTERNAL"
    status = _STATUS_BY_CODE.get(str(code), 400)
    headers: Mapping[str, str] = {}
    if isinstance(error, HttpRefusal):
        status, headers = error.status, error.headers
    elif in_document and status == 400 and media_type == JSON:
        status = 200
    return Response(
        orjson.dumps({"errors": objects}), status, headers, media_type=f"{media_type or JSON}; charset=utf-8"
    )


def preflight(connection: HTTPConnection, settings: GraphQLSettings) -> Response:
    """The answer to OPTIONS: cross-origin permission for the allowed origins, else only the methods there are."""
    headers = {"allow": ALLOWED_METHODS}
    if "access-control-request-method" in connection.headers and is_allowed_origin(connection, settings):
        headers |= {
            "access-control-allow-methods": "GET, POST",
            "access-control-allow-headers": ", ".join(
                ("authorization", "content-type", *PREFLIGHT_HEADERS, *_POLITE_HEADERS)
            ),
            "access-control-max-age": "600",
        }
    return Response(status_code=204, headers=headers)


def cross_origin_headers(connection: HTTPConnection, settings: GraphQLSettings) -> dict[str, str]:
    """Lets a page of an allowed origin read the answer; what caches must know of it too."""
    headers = {"vary": "Accept, Origin"}
    origin = connection.headers.get("origin")
    if origin is not None and is_allowed_origin(connection, settings):
        headers |= {
            "access-control-allow-origin": origin,
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "x-request-id",
        }
    return headers
