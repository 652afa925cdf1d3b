"""The endpoint that Stripe reports its events to: each is checked for its signature, stored, and answered at once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.db.engine import Database
from app.flows import provider_events
from app.payments.gateway_values import ProviderEvent
from app.payments.stripe_events import SignatureInvalid, verify_event

EVENTS_PATH = "/stripe/webhook"

# Stripe's events are well under this; whoever sends more is not Stripe.
_MAX_BYTES = 1024 * 1024

# How often at most a wrong signature has the secrets read again, so that a flood of nonsense does no harm.
_RELOAD_SECONDS: Final = 5.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def stripe_event_routes(
    database: Database, secrets: list[str], reload: Callable[[], Awaitable[None]]
) -> list[BaseRoute]:
    """The endpoint; an event must be signed with one of `secrets`, which may still be filled while the server starts.

    `reload` fills them with what is stored: another process may have made the endpoint anew, whose events have another signature.
    """
    reloads = _Seldom(reload, _RELOAD_SECONDS)

    async def receive_event(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BYTES:
                return JSONResponse({"error": "The event is too large."}, status_code=413)
        signature = request.headers.get("stripe-signature", "")
        event = _verified(bytes(body), signature, secrets)
        if event is None and signature:
            await reloads()
            event = _verified(bytes(body), signature, secrets)
        if event is not None:
            await provider_events.receive(database, event)
            return JSONResponse({"received": True})
        _log.warning("provider_event.refused")
        return JSONResponse({"error": "The signature does not match this endpoint's secret."}, status_code=400)

    return [Route(EVENTS_PATH, receive_event, methods=["POST"])]


def _verified(body: bytes, signature: str, secrets: Sequence[str]) -> ProviderEvent | None:
    """The event in a body that is signed with one of the secrets; None for any other."""
    for secret in secrets:
        with suppress(SignatureInvalid):
            return verify_event(body, signature, secret)
    return None


class _Seldom:
    """Work that anybody can cause by sending nonsense: done at most once in so many seconds."""

    def __init__(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._last: float | None = None

    async def __call__(self) -> None:
        now = time.monotonic()
        if self._last is None or now >= self._last + self._seconds:
            self._last = now
            await self._work()
