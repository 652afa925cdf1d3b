"""Server-sent events: the distinct connections mode of the GraphQL over SSE protocol, one operation per response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from app.asgi.graphql.negotiation import EVENT_STREAM

COMPLETE = "event: complete\ndata:\n\n"
KEEP_ALIVE = ":\n\n"


def next_event(result: str) -> str:
    """One result as an event."""
    return f"event: next\ndata: {result}\n\n"


class EventStream:
    """An ASGI response that sends each text as it comes, keeps silent connections open, and ends when the client goes.

    `ending` ends it early, without `complete`, so that clients connect again elsewhere. `cookies` are set as it begins, with the
    headers.
    """

    def __init__(
        self,
        events: AsyncGenerator[str],
        keep_alive_seconds: float,
        headers: dict[str, str],
        ending: asyncio.Event,
        *,
        cookies: Sequence[str] = (),
    ) -> None:
        self._events = events
        self._keep_alive_seconds = keep_alive_seconds
        self._headers = {
            "content-type": f"{EVENT_STREAM}; charset=utf-8",
            "cache-control": "no-store",
            "x-accel-buffering": "no",  # proxies would hold events back
            **headers,
        }
        self._cookies = cookies
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [*self._headers.items(), *(("set-cookie", cookie) for cookie in self._cookies)]
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        sending = asyncio.create_task(self._send_all(send))
        others = (
            asyncio.create_task(self._keep_alive(send)),
            asyncio.create_task(_disconnected(receive)),
            asyncio.create_task(self._ending.wait()),
        )
        try:
            await asyncio.wait((sending, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *others):
                task.cancel()
            await asyncio.gather(sending, *others, return_exceptions=True)
            await self._events.aclose()
        with suppress(OSError):  # the client has gone
            if not sending.cancelled():
                sending.result()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        async for text in self._events:
            await _write(send, text)

    async def _keep_alive(self, send: Send) -> None:
        while True:  # the first one flushes the headers, so that the client knows it is connected
            await _write(send, KEEP_ALIVE)
            await asyncio.sleep(self._keep_alive_seconds)


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
