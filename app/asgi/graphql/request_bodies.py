"""Bodies of requests: read no further than a limit, and waited for no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from starlette.requests import ClientDisconnect, Request

from app.asgi.graphql.http_answers import HttpRefusal


async def counted(request: Request, limit_bytes: int) -> AsyncGenerator[bytes]:
    """The body as it arrives. Raises HttpRefusal once it is, or says that it will be, larger than the limit."""
    too_large = HttpRefusal(413, f"The request is larger than {limit_bytes} bytes.", {"connection": "close"})
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit_bytes:
        raise too_large
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            raise too_large
        yield chunk


@asynccontextmanager
async def in_time(limit_seconds: float) -> AsyncGenerator[None]:
    """Raises HttpRefusal when reading a body takes longer than this."""
    try:
        async with asyncio.timeout(limit_seconds):
            yield
    except TimeoutError:
        raise HttpRefusal(408, "The request took too long to arrive.", {"connection": "close"}) from None


async def read(request: Request, limit_bytes: int, limit_seconds: float) -> bytes:
    """The whole body, within both limits."""
    body = bytearray()
    async with in_time(limit_seconds):
        async for chunk in counted(request, limit_bytes):
            body += chunk
    return bytes(body)


async def discard(request: Request, limit_bytes: int, limit_seconds: float) -> None:
    """Read past a body that says that it is small; never raises for what it meets.

    A connection that is closed on bytes nobody read is reset, and the answer is lost with it.
    """
    declared = request.headers.get("content-length", "")
    if not declared.isdecimal() or int(declared[:20]) > limit_bytes:
        return
    with suppress(HttpRefusal, ClientDisconnect):
        async with in_time(limit_seconds):
            async for _ in counted(request, limit_bytes):
                pass
