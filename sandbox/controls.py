"""The sandbox's own controls under /_sandbox: clock, faults, deliveries, disputes, cards, tax ids, log of requests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.clock import Clock
from sandbox.deliveries import MODES, Deliveries
from sandbox.errors import StripeError, invalid_request
from sandbox.faults import Faults
from sandbox.objects import Json, visible
from sandbox.request_log import RequestLog
from sandbox.resources.payment_methods.card_details import renew_card
from sandbox.resources.payments import disputes
from sandbox.resources.tax.tax_ids import verify_tax_id
from sandbox.store import Store

MAX_ADVANCE_SECONDS = 10 * 366 * 86400

Endpoint = Callable[[Request], Awaitable[Response]]


class Controls:
    """The endpoints of the controls."""

    def __init__(
        self, store: Store, clock: Clock, deliveries: Deliveries, faults: Faults, requests: RequestLog
    ) -> None:
        self._store = store
        self._clock = clock
        self._deliveries = deliveries
        self._faults = faults
        self._requests = requests

    def routes(self) -> list[Route]:
        """Return the routes of the controls."""
        table: list[tuple[str, str, Endpoint]] = [
            ("/_sandbox/clock", "GET", self.show_clock),
            ("/_sandbox/clock", "POST", self.move_clock),
            ("/_sandbox/faults", "GET", self.show_faults),
            ("/_sandbox/faults", "POST", self.add_fault),
            ("/_sandbox/faults", "DELETE", self.clear_faults),
            ("/_sandbox/deliveries", "GET", self.show_deliveries),
            ("/_sandbox/deliveries", "POST", self.set_deliveries),
            ("/_sandbox/deliveries/flush", "POST", self.flush_deliveries),
            ("/_sandbox/disputes", "POST", self.open_dispute),
            ("/_sandbox/disputes/{id}", "POST", self.close_dispute),
            ("/_sandbox/payment_methods/{id}/renew", "POST", self.renew_card),
            ("/_sandbox/tax_ids/{id}", "POST", self.verify_tax_id),
            ("/_sandbox/requests", "GET", self.show_requests),
            ("/_sandbox/requests", "DELETE", self.clear_requests),
        ]
        return [Route(path, _answering_errors(endpoint), methods=[method]) for path, method, endpoint in table]

    async def show_clock(self, request: Request) -> Response:
        """GET /_sandbox/clock: the time, and when the next work is due."""
        now, due = await self._clock.now(), await self._clock.next_due()
        next_due = datetime.fromtimestamp(due, UTC).isoformat() if due is not None else None
        return JSONResponse(
            {"now": datetime.fromtimestamp(now, UTC).isoformat(), "timestamp": now, "next_due": next_due}
        )

    async def move_clock(self, request: Request) -> Response:
        """POST /_sandbox/clock: set the time or advance it; what is due by then is done when this answers."""
        body = await _read_json(request)
        match body:
            case {"now": str(text)}:
                await self._clock.set(_timestamp(text))
            case {"advance_seconds": int(seconds)} if 0 <= seconds <= MAX_ADVANCE_SECONDS:
                await self._clock.set(await self._clock.now() + seconds)
            case _:
                raise invalid_request(
                    'Give {"now": an ISO 8601 time with zone} or {"advance_seconds": a whole number from 0}'
                )
        return await self.show_clock(request)

    async def show_faults(self, request: Request) -> Response:
        """GET /_sandbox/faults: the faults not yet used up."""
        return JSONResponse({"faults": self._faults.remaining()})

    async def add_fault(self, request: Request) -> Response:
        """POST /_sandbox/faults: let the next matching requests fail."""
        return JSONResponse(asdict(self._faults.add(await _read_json(request))))

    async def clear_faults(self, request: Request) -> Response:
        """DELETE /_sandbox/faults: remove all faults; requests that hang go on."""
        self._faults.clear()
        return await self.show_faults(request)

    async def show_deliveries(self, request: Request) -> Response:
        """GET /_sandbox/deliveries: the mode, and how many deliveries are in each status."""
        return JSONResponse({"mode": await self._deliveries.mode(), "counts": await self._deliveries.counts()})

    async def set_deliveries(self, request: Request) -> Response:
        """POST /_sandbox/deliveries: set the mode."""
        mode = (await _read_json(request)).get("mode")
        if mode not in MODES:
            raise invalid_request(f"mode must be one of {', '.join(MODES)}", param="mode")
        await self._deliveries.set_mode(mode)
        return await self.show_deliveries(request)

    async def flush_deliveries(self, request: Request) -> Response:
        """POST /_sandbox/deliveries/flush: send each pending delivery once, and answer when that is done."""
        return JSONResponse(await self._deliveries.flush())

    async def open_dispute(self, request: Request) -> Response:
        """POST /_sandbox/disputes: a cardholder disputes a charge."""
        body = await _read_json(request)
        async with self._store.write() as tx:
            dispute = await disputes.open_dispute(tx, body)
        return JSONResponse(visible(dispute))

    async def close_dispute(self, request: Request) -> Response:
        """POST /_sandbox/disputes/{id}: the bank decides a dispute."""
        status = str((await _read_json(request)).get("status"))
        async with self._store.write() as tx:
            dispute = await disputes.close_dispute(tx, request.path_params["id"], status)
        return JSONResponse(visible(dispute))

    async def renew_card(self, request: Request) -> Response:
        """POST /_sandbox/payment_methods/{id}/renew: the card network replaces a saved card."""
        body = await _read_json(request)
        async with self._store.write() as tx:
            method = await renew_card(tx, request.path_params["id"], body)
        return JSONResponse(visible(method))

    async def verify_tax_id(self, request: Request) -> Response:
        """POST /_sandbox/tax_ids/{id}: the tax office says whether a tax id is valid."""
        body = await _read_json(request)
        async with self._store.write() as tx:
            tax_id = await verify_tax_id(tx, await tx.get("tax_id", request.path_params["id"]), body)
        return JSONResponse(visible(tax_id))

    async def show_requests(self, request: Request) -> Response:
        """GET /_sandbox/requests: the latest requests, by `method` and by `path` (a regular expression)."""
        query = request.query_params
        return JSONResponse({"requests": self._requests.entries(query.get("method"), query.get("path"))})

    async def clear_requests(self, request: Request) -> Response:
        """DELETE /_sandbox/requests: empty the log."""
        self._requests.clear()
        return JSONResponse({"requests": []})


async def _read_json(request: Request) -> Json:
    """Return the JSON object in the body. Raises StripeError for anything else."""
    try:
        body: Any = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError) as error:
        raise invalid_request("The body must be a JSON object") from error
    if not isinstance(body, dict):
        raise invalid_request("The body must be a JSON object")
    return cast("Json", body)


def _answering_errors(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with each StripeError answered in Stripe's shape."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except StripeError as error:
            return JSONResponse({"error": error.error}, error.status)

    return answer


def _timestamp(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid_request(f"Invalid time: {text}", param="now") from error
    if at.tzinfo is None:
        raise invalid_request(f"A time needs its zone: {text}", param="now")
    return int(at.timestamp())
