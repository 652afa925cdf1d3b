"""Servers and clients of a benchmark, each in a process of its own, and what they cost; read from `/proc`, so on Linux only."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.live_load import free_port

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_STARTS_WITHIN_SECONDS: Final = 60.0


@asynccontextmanager
async def child(*arguments: str, **environment: str) -> AsyncGenerator[Process]:
    """A Python process that is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=PIPE, stdout=PIPE, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_listening(port: int) -> None:
    """Wait until something listens on this port of the loopback address."""
    async with asyncio.timeout(_STARTS_WITHIN_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def cpu_seconds(process: Process) -> float:
    """Processor seconds that a process used so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


@asynccontextmanager
async def product_server(url: str, catalog: Path) -> AsyncGenerator[tuple[Process, int]]:
    """The product's server with a sandbox beside it, listening; and its port."""
    port, sandbox_port = free_port(), free_port()
    settings = {
        "DATABASE_URL": url,
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "SECRET_KEY": "a secret key for benchmarks",
        "CATALOG": str(catalog),
    }
    sandbox = ("-m", "sandbox", "--port", str(sandbox_port), "--database-url", url, "--exit-with-stdin")
    async with child(*sandbox), child("-m", "app", "serve", "--no-worker", **settings) as server:
        await until_listening(port)
        yield server, port
