"""A real browser, where this machine has one, steered over its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.client import eventually

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"),
    # names that exist nowhere are this machine, so that there are sites, subdomains and other sites
    *("--host-resolver-rules=MAP *.test 127.0.0.1", "--remote-debugging-port=0"),
)


class Page:
    """One page of the browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._calls = 0
        self.complaints: list[str] = []
        """What the browser's console has said, hints for makers of pages among it, since `listen`."""

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self._call("Page.navigate", url=url)

    async def go(self, origin: str) -> None:
        """Load the page at an origin, and return once it is there."""
        await self.open(origin)
        await self.run(
            "new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))"
        )
        assert await self.run("location.origin") == origin

    async def run(self, script: str) -> Any:
        """What an expression comes to."""
        answer = await self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def shows(self, text: str) -> None:
        """Wait until the text can be read on the page."""

        async def look() -> bool:
            return text in str(await self.run("document.body ? document.body.innerText : ''"))

        await eventually(look)

    async def click(self, button: str) -> None:
        """Click the button with this text."""
        found = f"[...document.querySelectorAll('button')].find(each => each.innerText === {button!r})"
        await self.run(f"(it => (it.focus(), it.click()))({found})")

    async def fill(self, field: str, text: str) -> None:
        """Type into the field with this id."""
        await self.run(f"document.getElementById({field!r}).value = {text!r}")

    async def prefer(self, colours: str) -> None:
        """Say to pages that their reader prefers `light` or `dark` colours."""
        wanted = {"name": "prefers-color-scheme", "value": colours}
        await self._call("Emulation.setEmulatedMedia", features=[wanted])

    async def resize(self, width: int, height: int) -> None:
        """Give the page so many pixels."""
        size = {"width": width, "height": height}
        await self._call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)

    async def listen(self) -> None:
        """Begin to keep what the console says."""
        await self._call("Log.enable")
        await self._call("Runtime.enable")

    async def screenshot(self) -> bytes:
        """The page as it looks, in PNG."""
        return base64.b64decode((await self._call("Page.captureScreenshot"))["data"])

    async def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        await self._connection.send(orjson.dumps(message).decode())
        while True:
            answer = orjson.loads(await self._connection.recv())
            if answer.get("method") == "Log.entryAdded":
                self.complaints.append(answer["params"]["entry"]["text"])
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                return answer["result"]


@asynccontextmanager
async def browser_page() -> AsyncGenerator[Page]:
    """An empty page of a browser of its own; skips the test on a machine without one."""
    binary = next(filter(None, map(shutil.which, _NAMES)), None)
    if binary is None:
        pytest.skip("there is no Chromium on this machine")
    with tempfile.TemporaryDirectory(prefix="cfbrowser", ignore_cleanup_errors=True) as folder:
        quiet = asyncio.subprocess.DEVNULL
        arguments = (*_FLAGS, f"--user-data-dir={folder}", "about:blank")
        process = await asyncio.create_subprocess_exec(binary, *arguments, stdout=quiet, stderr=quiet)
        try:
            async with connect(await _address(Path(folder)), max_size=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            await process.wait()


async def _address(folder: Path) -> str:
    """Where the browser's only page is steered from."""
    port_file = folder / "DevToolsActivePort"

    async def port() -> str:
        return port_file.read_text().partition("\n")[0] if port_file.exists() else ""

    url = f"http://127.0.0.1:{await eventually(port)}/json/list"
    async with httpx.AsyncClient() as http:

        async def pages() -> list[str]:
            listed = (await http.get(url)).json()
            return [each["webSocketDebuggerUrl"] for each in listed if each["type"] == "page"]

        return (await eventually(pages))[0]


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
