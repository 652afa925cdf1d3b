"""What every test may ask for: a database server a run, and a database a worker or a test."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from app.db.engine import Database
from tests.support.databases import cloned_database, start_server
from tests.support.house import RunningHouse, running_house
from tests.support.speed import keep_what_is_there, remember_what_is_missing

_URL = "COUNTERFOIL_TEST_SERVER"


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the process that steers the run; its workers inherit the address."""
    remember_what_is_missing()
    if _URL not in os.environ and not config.option.collectonly:
        url, stop = start_server()
        os.environ[_URL] = url
        config.add_cleanup(stop)
    config.addinivalue_line("markers", "catalogs(*names): the shipped catalogs that `house` runs with, a test each")


def pytest_collection_finish() -> None:
    """What was imported for the tests is there until they end."""
    keep_what_is_there()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `house` once with each catalog it is marked with, or else with `analytics`."""
    if "house" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("catalogs")
        metafunc.parametrize("house", marker.args if marker else ["analytics"], indirect=True)


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


@pytest_asyncio.fixture(scope="session")
async def _houses(server_url: str) -> AsyncGenerator[Callable[[str], Awaitable[RunningHouse]]]:
    """Houses by catalog, each opened when it is first asked for."""
    opened: dict[str, RunningHouse] = {}
    async with AsyncExitStack() as stack:

        async def house_with(catalog: str) -> RunningHouse:
            if catalog not in opened:
                opened[catalog] = await stack.enter_async_context(running_house(server_url, catalog))
            return opened[catalog]

        yield house_with


@pytest_asyncio.fixture
async def house(
    request: pytest.FixtureRequest, _houses: Callable[[str], Awaitable[RunningHouse]]
) -> AsyncGenerator[RunningHouse]:
    """The whole product, shared by this worker's tests: each makes people of its own and takes the time from the product's clock,
    which tests before it may have moved forward.

    `@pytest.mark.catalogs("analytics", "compute")` says with which catalogs; faults ordered from the sandbox end with the test.
    """
    shared = await _houses(request.param)
    yield shared
    await shared.sandbox.restore()


@pytest_asyncio.fixture
async def own_house(server_url: str) -> AsyncGenerator[RunningHouse]:
    """The whole product with `analytics`, for a test that breaks or counts what others share."""
    async with running_house(server_url, "analytics") as own:
        yield own
