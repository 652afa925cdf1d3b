"""Fetching JSON documents from an issuer, with limits on time and size, and not from addresses inside a private network."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Final, TypeAlias, cast
from urllib.parse import SplitResult, urlsplit

import httpx
import orjson

_MOST_BYTES: Final = 262_144
_MOST_URL_CHARACTERS: Final = 2_000
_TIMEOUT_SECONDS: Final = 5.0
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_LOOPBACK_NAMES: Final = frozenset({"localhost"})

Resolve: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Looks up the network addresses of a host name; none if it has none."""


class NotFetched(Exception):
    """The document could not be fetched. The message says why, for the log; it holds nothing of a person or a token."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Document:
    """A fetched JSON object; `max_age_seconds` is the max-age of its Cache-Control header, None without one."""

    members: Mapping[str, object]
    max_age_seconds: int | None


class Fetcher:
    """Fetches documents for the issuer at `issuer_url`; `resolve` looks host names up.

    Redirects are not followed. A URL must be https, or plain http on this machine if the issuer's own URL is too. An issuer on the
    public network can't name a host in a private one.
    """

    def __init__(self, issuer_url: str, resolve: Resolve | None = None) -> None:
        self._issuer = urlsplit(issuer_url)
        self._resolve = resolve or _resolve
        self._client = httpx.AsyncClient(
            timeout=_TIMEOUT_SECONDS,
            follow_redirects=False,
            # no cookies: one that is set with the userinfo of one person must not be sent for the next
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # not compressed, so that the size limit holds for the decoded document too
            headers={"accept": "application/json", "accept-encoding": "identity"},
        )

    async def get(self, url: str, *, bearer_token: str | None = None) -> Document:
        """The JSON object at `url`; raises `NotFetched` on any failure."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._check(url)
                return await self._get(url, {} if bearer_token is None else {"authorization": f"Bearer {bearer_token}"})
        except TimeoutError:
            raise NotFetched("it took too long") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise NotFetched(type(error).__name__) from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _check(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname
        if len(url) > _MOST_URL_CHARACTERS or not host or parts.username is not None:
            raise NotFetched("the address is malformed")
        if parts.scheme != "https" and not (is_plain_loopback(parts) and is_plain_loopback(self._issuer)):
            raise NotFetched("the address is not https")
        if host == self._issuer.hostname or not await self._is_private(host):
            return
        if not await self._is_private(self._issuer.hostname or ""):
            raise NotFetched("the address leads into a private network")

    async def _is_private(self, host: str) -> bool:
        return any(not ip_address(address).is_global for address in await self._resolve(host))

    async def _get(self, url: str, headers: Mapping[str, str]) -> Document:
        async with self._client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise NotFetched(f"it answered {answer.status_code}", status=answer.status_code)
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise NotFetched("it came compressed")
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise NotFetched("it is too large")
            max_age = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        try:
            value: object = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise NotFetched("it is no JSON") from None
        if not isinstance(value, dict):
            raise NotFetched("it is no JSON object")
        return Document(cast("dict[str, object]", value), int(max_age[1]) if max_age is not None else None)


def is_plain_loopback(url: SplitResult) -> bool:
    """Whether this is plain http to this machine itself, which nobody else can read."""
    return url.scheme == "http" and url.hostname is not None and is_loopback(url.hostname)


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in _LOOPBACK_NAMES


async def _resolve(host: str) -> Sequence[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    # an IPv6 address may end with % and an interface
    return [str(address[4][0]).partition("%")[0] for address in found]
