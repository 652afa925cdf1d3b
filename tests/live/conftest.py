"""Worlds of doubles, and the real transports."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator, MutableMapping, Sequence
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from app.ids import uuid7
from tests.live.doubles import World
from tests.support.databases import cloned_url


@pytest.fixture(autouse=True)
def logs() -> Generator[Sequence[MutableMapping[str, Any]]]:
    """What was logged."""
    with capture_logs() as captured:
        yield captured


@pytest_asyncio.fixture
async def world() -> AsyncGenerator[World]:
    made = World()
    await made.hub.start()
    yield made
    await made.hub.aclose()


@pytest.fixture
def workspace_id() -> UUID:
    return uuid7()


@pytest.fixture
def object_id() -> UUID:
    return uuid7()


@pytest_asyncio.fixture
async def postgres_url(server_url: str) -> AsyncGenerator[str]:
    """A database of the test's own: notifications stay within one."""
    async with cloned_url(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Generator[str]:
    """A Redis server of this worker's own."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("there is no redis-server on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="cfredis") as folder:
        arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
        process = subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


@pytest_asyncio.fixture
async def redis_url(redis_server: str) -> str:
    """The Redis server, once it answers."""
    async with Redis.from_url(redis_server) as client:
        while True:
            try:
                await client.execute_command("PING")
                return redis_server
            except RedisError:
                await asyncio.sleep(0.02)
