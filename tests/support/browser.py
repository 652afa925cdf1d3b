"""A real browser, headless, steered through its DevTools; and a server of empty pages to stand on."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

_PATIENCE_SECONDS = 60.0
_LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"),
    # names that exist nowhere are this machine, so that there are sites, subdomains and other sites
    *("--host-resolver-rules=MAP *.test 127.0.0.1", "--remote-debugging-port=0"),
)


class Page:
    """A tab of the browser."""

    def __init__(self, connection: ClientConnection, session_id: str) -> None:
        self._connection = connection
        self._session_id = session_id
        self._ids = count(1_000)

    async def go(self, url: str) -> None:
        """Load the page at an origin, and return once it is there."""
        await self._command("Page.navigate", url=url)
        await self.run(
            "new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))"
        )
        assert await self.run("location.origin") == url

    async def run(self, script: str) -> Any:
        """The value of an expression, or what its promise comes to."""
        answer = await self._command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def _command(self, method: str, **parameters: object) -> dict[str, Any]:
        return await _command(self._connection, next(self._ids), method, parameters, self._session_id)


async def _command(
    connection: ClientConnection, command_id: int, method: str, parameters: object, session_id: str | None = None
) -> dict[str, Any]:
    session = {"sessionId": session_id} if session_id is not None else {}
    await connection.send(orjson.dumps({"id": command_id, "method": method, "params": parameters, **session}).decode())
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            message = orjson.loads(await connection.recv())
            if message.get("id") == command_id:
                assert "error" not in message, message
                return message["result"]


@asynccontextmanager
async def browser_page() -> AsyncGenerator[Page]:
    """A tab of a browser that remembers nothing of others. Skips where there is no Chromium, but never on CI."""
    program = shutil.which("chromium")
    if program is None:
        assert not os.environ.get("CI"), "chromium is missing"
        pytest.skip("there is no chromium on this machine")
    with tempfile.TemporaryDirectory(prefix="cfbrowser", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            *(program, *_OPTIONS, f"--user-data-dir={folder}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with connect(await _endpoint(process), max_size=None, proxy=None) as connection:
                made = await _command(connection, 1, "Target.createTarget", {"url": "about:blank"})
                to = {"targetId": made["targetId"], "flatten": True}
                attached = await _command(connection, 2, "Target.attachToTarget", to)
                yield Page(connection, attached["sessionId"])
        finally:
            process.kill()
            await process.communicate()


async def _endpoint(process: asyncio.subprocess.Process) -> str:
    """Where the browser is steered, which it says once it is up."""
    assert process.stderr is not None
    said = b""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while line := await process.stderr.readline():
            said += line
            if found := _LISTENING.search(line):
                return found[1].decode()
    raise AssertionError(f"the browser did not start: {said.decode(errors='replace')}")


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page</title><body>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Say nothing."""


@contextmanager
def empty_pages() -> Generator[int]:
    """Empty pages on a port of this machine, under whatever name it is called by."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
