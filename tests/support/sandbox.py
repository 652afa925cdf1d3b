"""Runs the Stripe sandbox as a child process and speaks to it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import stripe

_ROOT = Path(__file__).parents[2]


class SandboxProcess:
    """`python -m sandbox` on a free port, which a restart keeps."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start and wait until it says that it is ready."""
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sandbox",
                "--port",
                str(self._port),
                "--database-url",
                self._database_url,
                "--exit-with-stdin",
            ],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("sandbox ready on "), line
        self._port = int(line.rsplit(":", 1)[1])

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._ended()

    def kill(self) -> None:
        """End it by SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._ended()

    def close_stdin(self) -> int:
        """End its standard input, as the death of its parent does, and return its exit code."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._ended()

    def _ended(self) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=30)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return code


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
