"""Real processes: the server on a home of its own, and commands on a database of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import pytest
import pytest_asyncio

from tests.support.databases import cloned_url
from tests.support.server import ServerProcess, server_process


@pytest.fixture
def server() -> Generator[ServerProcess]:
    """A server that is not started yet; whatever of it still runs at the end is ended."""
    with server_process() as process:
        yield process


@pytest_asyncio.fixture
async def database_url(server_url: str) -> AsyncGenerator[str]:
    """The URL of a migrated database of this test's own."""
    async with cloned_url(server_url) as url:
        yield url
