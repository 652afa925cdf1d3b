"""What every test may ask for: a database server a run, and a database a worker or a test."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
import stripe

from app.db.engine import Database
from tests.support.databases import cloned_database, empty_url, start_server
from tests.support.running_backend import RunningBackend, running_backend
from tests.support.sandbox import SandboxProcess, sdk
from tests.support.speed import keep_what_is_there, remember_what_is_missing

_URL = "COUNTERFOIL_TEST_SERVER"


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the process that steers the run; its workers inherit the address."""
    remember_what_is_missing()
    if _URL not in os.environ and not config.option.collectonly:
        url, stop = start_server()
        os.environ[_URL] = url
        config.add_cleanup(stop)
    config.addinivalue_line("markers", "catalogs(*names): the shipped catalogs that `backend` runs with, a test each")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers a processor for `-n auto`: a test that speaks to servers of its own waits for them about half of its time."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """What was imported for the tests is there until they end."""
    keep_what_is_there()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `backend` once with each catalog it is marked with, or else with `analytics`."""
    if "backend" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("catalogs")
        metafunc.parametrize("backend", marker.args if marker else ["analytics"], indirect=True)


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
async def _backends(server_url: str) -> AsyncGenerator[Callable[[str], Awaitable[RunningBackend]]]:
    """Houses by catalog, each opened when it is first asked for."""
    opened: dict[str, RunningBackend] = {}
    async with AsyncExitStack() as stack:

        async def backend_with(catalog: str) -> RunningBackend:
            if catalog not in opened:
                opened[catalog] = await stack.enter_async_context(running_backend(server_url, catalog))
            return opened[catalog]

        yield backend_with


@pytest_asyncio.fixture
async def backend(
    request: pytest.FixtureRequest, _backends: Callable[[str], Awaitable[RunningBackend]]
) -> AsyncGenerator[RunningBackend]:
    """The whole product, shared by this worker's tests: each makes people of its own and takes the time from the product's clock,
    which tests before it may have moved forward.

    `@pytest.mark.catalogs("analytics", "compute")` says with which catalogs. Faults ordered from the sandbox end with the test, and
    so do subscriptions, which would renew when another test moves the time.
    """
    shared = await _backends(request.param)
    yield shared
    await shared.sandbox.restore()
    await shared.end_subscriptions()


@pytest_asyncio.fixture
async def own_backend(server_url: str) -> AsyncGenerator[RunningBackend]:
    """The whole product with `analytics`, for a test that breaks or counts what others share."""
    async with running_backend(server_url, "analytics") as own:
        yield own


@pytest_asyncio.fixture
async def own_messaging(server_url: str) -> AsyncGenerator[RunningBackend]:
    """The whole product with `messaging`, for a test that moves time far."""
    async with running_backend(server_url, "messaging") as own:
        yield own


@pytest_asyncio.fixture(scope="session")
async def sandbox(server_url: str) -> AsyncGenerator[SandboxProcess]:
    """A running sandbox without the product beside it, shared by this worker's tests: a real process on a database of its own."""
    async with empty_url(server_url) as url:
        process = SandboxProcess(url)
        process.start()
        yield process
        process.stop()


@pytest.fixture
def client(sandbox: SandboxProcess) -> stripe.StripeClient:
    """The official SDK with the sandbox, as the seller's own programs have it: a secret key, and no retries of its own."""
    return sdk(sandbox.url)
