"""What only development has: the inbox of mails and text messages, and a clock that can be moved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import cast
from urllib.parse import urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.db.engine import Database
from app.errors import InvalidInput
from app.jobs.time_travel import parse_duration
from app.messages.development_inbox import newest_messages

Advance = Callable[[timedelta], Awaitable[datetime]]


def dev_routes(database: Database, advance: Advance | None) -> list[BaseRoute]:
    """`GET /dev/inbox`, `GET` and `POST /dev/clock`. Without `advance` (a real Stripe account) the clock can't be moved: 409."""
    one_at_a_time = asyncio.Lock()

    async def inbox(request: Request) -> Response:
        if not _is_ours(request):
            return _FOREIGN
        async with database.read() as session:
            return JSONResponse(await newest_messages(session))

    async def clock(request: Request) -> Response:
        if not _is_ours(request):
            return _FOREIGN
        if request.method == "GET":
            return JSONResponse({"now": _text(database.clock.now())})
        if advance is None:
            return JSONResponse({"error": "Stripe's own time can't be moved: only the sandbox's can."}, status_code=409)
        try:
            by = parse_duration(_member(await request.body()))
        except InvalidInput as error:
            return JSONResponse({"error": error.message}, status_code=400)
        async with one_at_a_time:
            return JSONResponse({"now": _text(await advance(by))})

    return [Route("/dev/inbox", inbox), Route("/dev/clock", clock, methods=["GET", "POST"])]


_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_FOREIGN = JSONResponse({"error": "This is for this machine alone, not for other sites' pages."}, status_code=403)


def _is_ours(request: Request) -> bool:
    """Whether no other site's page sent this: neither across origins, nor by a name of its own that leads to this machine."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return False
    return request.url.hostname in _LOOPBACK


def _member(body: bytes) -> object:
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return cast(dict[str, object], value).get("advance") if isinstance(value, dict) else None


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
