"""An application behind a proxy that serves it under a path of its own, which it takes off."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.asgi.conftest import ReadyServer


@asynccontextmanager
async def under_a_path(app: ASGIApp, path: str) -> AsyncGenerator[str]:
    """Serve `app` under `path`, of which it learns nothing, and nothing beside it; the address it has then."""

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(f"{path}/"):
            await PlainTextResponse("another application", 404)(scope, receive, send)
            return
        stripped = scope["path"].removeprefix(path)
        await app({**scope, "path": stripped, "raw_path": stripped.encode()}, receive, send)

    server = ReadyServer(uvicorn.Config(proxy, log_level="error", lifespan="off", ws="websockets-sansio"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server._serve([listener]))  # pyright: ignore[reportPrivateUsage]
        await server.ready.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
        finally:
            server.should_exit = True
            await running
