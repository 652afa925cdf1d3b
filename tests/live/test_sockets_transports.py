"""Live updates over real sockets, whatever carries the hints: several servers, and connections that are cut."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlalchemy import text

from app.db.engine import Database
from app.main import open_backend
from tests.live.screens import grant, screens, sessions_of, spend
from tests.live.transports import redis_transport
from tests.support.accounts import SECRET_KEY
from tests.support.client import eventually
from tests.support.running_backend import RunningBackend, running_backend

# The connection that listens; the worker has one of its own, on another channel.
_CUT_LISTENERS = text("""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'LISTEN%counterfoil_live%'
""")


@dataclass(frozen=True, slots=True)
class Wired:
    """A running product whose hints travel by some transport; `cut` ends every connection that listens for them."""

    backend: RunningBackend
    cut: Callable[[], Awaitable[None]]


@pytest.fixture(params=["postgres", "redis"])
def broadcast_url(request: pytest.FixtureRequest) -> str | None:
    """What carries the hints; None: the database."""
    return request.getfixturevalue("redis_url") if request.param == "redis" else None


@pytest_asyncio.fixture
async def wired(server_url: str, broadcast_url: str | None) -> AsyncGenerator[Wired]:
    async with running_backend(server_url, "analytics", broadcast_url=broadcast_url) as backend:
        cut_listeners = redis_transport(broadcast_url).cut if broadcast_url else _listener_cut(backend.database)
        yield Wired(backend, cut_listeners)


async def test_every_client_ends_on_the_final_version_though_the_listener_is_cut_under_load(wired: Wired) -> None:
    backend = wired.backend
    person = await backend.sign_up()
    await grant(backend, person, 1_000)
    tokens = await sessions_of(backend.database, person, 50)
    async with screens(backend.api, person, tokens) as watching:
        last = 0
        for number in range(120):
            last = await spend(backend.database, person)
            if number % 30 == 15:
                await wired.cut()
        for screen in watching:
            await screen.reach(last)

    for screen in watching:
        screen.assert_versions_rise()
    assert {screen.versions[-1] for screen in watching} == {last}


async def test_changes_made_by_another_server_arrive(wired: Wired) -> None:
    backend = wired.backend
    person = await backend.sign_up()
    await grant(backend, person, 1_000)
    tokens = await sessions_of(backend.database, person, 10)
    other = open_backend(backend.parts.settings, backend.parts.database_url, SECRET_KEY)
    async with other as there, screens(backend.api, person, tokens) as watching:
        for _ in range(20):
            last = await spend(there.runtime.database, person)
            for screen in watching:
                await screen.reach(last)

    for screen in watching:
        screen.assert_versions_rise()


def _listener_cut(database: Database) -> Callable[[], Awaitable[None]]:
    async def terminated() -> int:
        async with database.engine.begin() as connection:
            return (await connection.execute(_CUT_LISTENERS)).scalar_one()

    async def cut() -> None:
        await eventually(terminated)

    return cut
