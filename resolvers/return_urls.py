"""Addresses that hosted pages lead back to: only those on the configured list."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from app.error_codes import ErrorCode
from app.errors import DomainError
from app.payments.gateway_values import ReturnUrls
from resolvers.context import Context

_MAX_CHARACTERS: Final = 2_000
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class UrlNotAllowed(DomainError):
    """The address to return to is not allowed here: its origin must be one of those in RETURN_ORIGINS."""

    code = ErrorCode.URL_NOT_ALLOWED


def return_urls(context: Context, success: str | None, cancel: str | None) -> ReturnUrls:
    """Where a hosted page leads to when it is done and when it is left; a page of our own where the caller names none.

    Raises `UrlNotAllowed` for an address whose origin is not on the list.
    """
    return ReturnUrls(
        success=_allowed(context, success, "successUrl") if success is not None else own_page(context),
        cancel=_allowed(context, cancel, "cancelUrl") if cancel is not None else own_page(context),
    )


def return_url(context: Context, url: str | None) -> ReturnUrls:
    """The same where one address serves for both."""
    allowed = _allowed(context, url, "returnUrl") if url is not None else own_page(context)
    return ReturnUrls(allowed, allowed)


def portal_return_url(context: Context, url: str | None) -> str:
    """Where the portal leads back to. It fills nothing in, since it is no page that is used once.

    Raises `UrlNotAllowed`.
    """
    return _allowed(context, url, "returnUrl") if url is not None else f"{context.runtime.public_url}/done"


def own_page(context: Context) -> str:
    """Our own page to come back to. The provider fills in which hosted page the customer comes from."""
    return f"{context.runtime.public_url}/done?page={{CHECKOUT_SESSION_ID}}"


def _allowed(context: Context, url: str, field: str) -> str:
    origin = _origin(url)
    runtime = context.runtime
    if origin is None:
        raise UrlNotAllowed(path=("input", field))
    listed = origin in runtime.return_origins or origin == _origin(runtime.public_url)
    if not listed and not (runtime.returns_to_loopback and _is_loopback(origin)):
        raise UrlNotAllowed(path=("input", field))
    return url


def _origin(url: str) -> str | None:
    """`scheme://host[:port]` of an address that a browser would read the same way; None for any other."""
    if len(url) > _MAX_CHARACTERS or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if port in (None, default) else f"{parts.scheme}://{host}:{port}"


def _is_loopback(origin: str) -> bool:
    host = origin.partition("://")[2]
    return host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK
