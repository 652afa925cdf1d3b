"""Who is calling, as far as headers tell: credentials, address, and whether a web page may use the session cookie."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from app.asgi.graphql.graphql_settings import GraphQLSettings
from app.asgi.graphql.transport_context import RequestInfo, Transport
from app.errors import Forbidden
from app.ids import uuid7


class ForeignOrigin(Forbidden):
    """A web page of another origin can't use this session: call from this origin or from one on the list of allowed origins."""


def request_info(connection: HTTPConnection, settings: GraphQLSettings, transport: Transport) -> RequestInfo:
    """What the headers say of the caller. Raises ForeignOrigin if a foreign page sent the session cookie along."""
    headers = connection.headers
    cookie = connection.cookies.get(settings.session_cookie)
    origin = headers.get("origin")
    if origin is not None and cookie is not None and not is_allowed_origin(connection, settings):
        raise ForeignOrigin
    return RequestInfo(
        request_id=request_id(connection),
        bearer_token=bearer_token(headers.get("authorization")),
        session_cookie=cookie,
        remote_address=remote_address(connection, settings),
        user_agent=headers.get("user-agent"),
        is_browser=origin is not None or "sec-fetch-site" in headers,
        transport=transport,
        takes_cookies=transport != "websocket",
    )


def request_id(connection: HTTPConnection) -> str:
    """The id that the middleware gave the request, or a new one."""
    known = connection.scope.get("state", {}).get("request_id")
    return known if isinstance(known, str) else str(uuid7())


def bearer_token(authorization: object) -> str | None:
    """The token of `Bearer …`; None for any other scheme."""
    if not isinstance(authorization, str):
        return None
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def remote_address(connection: HTTPConnection, settings: GraphQLSettings) -> str:
    """The nearest address that is not one of our proxies."""
    peer = connection.client.host if connection.client else ""
    hops = [hop.strip() for hop in ",".join(connection.headers.getlist("x-forwarded-for")).split(",") if hop.strip()]
    while hops and _is_trusted(peer, settings):
        peer = hops.pop()
    return peer


def _is_trusted(address: str, settings: GraphQLSettings) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in settings.trusted_proxies)


def is_allowed_origin(connection: HTTPConnection, settings: GraphQLSettings) -> bool:
    """Is the page that sent this one of ours? Its host is the one it called, or its origin is on the list.

    Where cookies are `Secure`, our own pages come over https, so an http page of the same host is foreign too.
    """
    origin = connection.headers.get("origin", "")
    if origin in settings.allowed_origins:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme != "https" and (settings.secure_cookies or parts.scheme != "http"):
        return False
    return bool(parts.netloc) and parts.netloc.lower() == connection.headers.get("host", "").lower()
