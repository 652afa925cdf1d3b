"""Runs the Stripe sandbox as a child process and speaks to it."""

from __future__ import annotations

import asyncio
import os
import signal

import stripe

from tests.support.process_forker import ForkedProcess, process_forker
from tests.support.server import bare_environment

_STANDARD_ERROR = 2


class SandboxProcess:
    """The sandbox's program on a free port, which a restart keeps."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._process: ForkedProcess | None = None
        self._input = -1
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it says that it is ready."""
        command = ("sandbox", "--port", str(self._port), "--database-url", self._database_url, "--exit-with-stdin")
        its_input, self._input = os.pipe()
        output, its_output = os.pipe()
        with os.fdopen(output) as lines:
            try:
                self._process = process_forker().start(
                    *command, environment=bare_environment(), descriptors=(its_input, its_output, _STANDARD_ERROR)
                )
            finally:
                os.close(its_input)
                os.close(its_output)
            line = lines.readline()
        assert line.startswith("sandbox ready on "), line
        self._port = int(line.rsplit(":", 1)[1])

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """End it by SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._ended()

    def close_stdin(self) -> int:
        """End its standard input, as the death of its parent does, and return its exit code."""
        self._close_input()
        return self._ended()

    def _ended(self) -> int:
        assert self._process is not None
        code = self._process.wait(30)
        self._close_input()
        return code

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1


def sdk(url: str, key: str = "sk_test_counterfoil", *, max_network_retries: int = 0) -> stripe.StripeClient:
    """Return the official SDK's client for a sandbox."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": url},
        max_network_retries=max_network_retries,
        http_client=stripe.HTTPXClient(allow_sync_methods=False),
    )


class WebhookReceiver:
    """An HTTP server that keeps each post it gets and answers with `status`."""

    def __init__(self) -> None:
        self.secret = ""
        self.status = 200
        self.payloads: list[str] = []
        self.signatures: list[str] = []
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> WebhookReceiver:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *raised: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/webhook"

    def events(self) -> list[stripe.Event]:
        """Return what arrived, in order; each signature is checked."""
        return [
            stripe.Webhook.construct_event(payload, signature, self.secret)
            for payload, signature in zip(self.payloads, self.signatures, strict=True)
        ]

    async def wait_for(self, count: int) -> list[stripe.Event]:
        """Wait until at least `count` posts have arrived, and return their events."""
        async with asyncio.timeout(30), self._arrived:
            await self._arrived.wait_for(lambda: len(self.payloads) >= count)
        return self.events()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.splitlines()[1:] if line)
        }
        payload = await reader.readexactly(int(headers["content-length"]))
        async with self._arrived:
            self.payloads.append(payload.decode())
            self.signatures.append(headers["stripe-signature"])
            self._arrived.notify_all()
        writer.write(f"HTTP/1.1 {self.status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
