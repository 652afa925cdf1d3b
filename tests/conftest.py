"""What every test may ask for: a database server a run, and a database a worker or a test."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from app.db.engine import Database
from tests.support.databases import cloned_database, start_server

_URL = "COUNTERFOIL_TEST_SERVER"


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the process that steers the run; its workers inherit the address."""
    if _URL not in os.environ and not config.option.collectonly:
        url, stop = start_server()
        os.environ[_URL] = url
        config.add_cleanup(stop)


@pytest.fixture(scope="session")
def server_url() -> str:
    """The run's PostgreSQL server, whose migrated template can be cloned."""
    return os.environ[_URL]


@pytest_asyncio.fixture(scope="session")
async def database(server_url: str) -> AsyncGenerator[Database]:
    """A migrated database shared by this worker's tests: what commits really commits, so tests make workspaces of their own."""
    async with cloned_database(server_url) as cloned:
        yield cloned


@pytest_asyncio.fixture
async def fresh_database(server_url: str) -> AsyncGenerator[Database]:
    """A migrated database of this test's own."""
    async with cloned_database(server_url) as cloned:
        yield cloned
