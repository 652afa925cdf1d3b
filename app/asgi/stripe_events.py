"""The endpoint that Stripe reports its events to: each is checked for its signature, stored, and answered at once."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.db.engine import Database
from app.flows import provider_events
from app.payments.stripe_events import SignatureInvalid, verify_event

EVENTS_PATH = "/stripe/webhook"

# Stripe's events are well under this; whoever sends more is not Stripe.
_MAX_BYTES = 1024 * 1024

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def stripe_event_routes(database: Database, secrets: list[str]) -> list[BaseRoute]:
    """The endpoint; an event must be signed with one of `secrets`, which may still be filled while the server starts."""

    async def receive_event(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BYTES:
                return JSONResponse({"error": "The event is too large."}, status_code=413)
        signature = request.headers.get("stripe-signature", "")
        for secret in secrets:
            try:
                event = verify_event(bytes(body), signature, secret)
            except SignatureInvalid:
                continue
            await provider_events.receive(database, event)
            return JSONResponse({"received": True})
        _log.warning("provider_event.refused")
        return JSONResponse({"error": "The signature does not match this endpoint's secret."}, status_code=400)

    return [Route(EVENTS_PATH, receive_event, methods=["POST"])]
