"""Worlds prepared once and copied for each crash."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from app.clock import Clock
from app.db.engine import Database, connect, open_connection
from tests.crash.world import Ground, Prepare, World, answers, end
from tests.support.accounts import new_person
from tests.support.client import Api, eventually
from tests.support.databases import TEMPLATE, on_database
from tests.support.running_backend import Person
from tests.support.sandbox_controls import SandboxControls


@dataclass(slots=True)
class Worlds:
    """Worlds prepared once and copied as often as wanted."""

    ground: Ground
    _prepared: dict[tuple[str, tuple[Prepare, ...]], tuple[str, Person]] = field(
        default_factory=dict[tuple[str, tuple[Prepare, ...]], tuple[str, Person]]
    )

    @asynccontextmanager
    async def world(self, catalog: str, given: tuple[Prepare, ...]) -> AsyncGenerator[World]:
        """A world in which everything of `given` has happened, with the sandbox running and the server not started yet."""
        template, person = await self._template(catalog, given)
        async with self._copied(template) as name, self._running(catalog, name, person) as world:
            yield world

    async def close(self) -> None:
        """Drop what was prepared."""
        for template, _ in self._prepared.values():
            await self._administer(f"DROP DATABASE IF EXISTS {template} WITH (FORCE)")

    async def _template(self, catalog: str, given: tuple[Prepare, ...]) -> tuple[str, Person]:
        if (catalog, given) not in self._prepared:
            name = _new_name()
            if given:
                source, person = await self._template(catalog, given[:-1])
                await self._administer(f"CREATE DATABASE {name} TEMPLATE {source}")
            else:
                await self._administer(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
                person = await self._someone(name)
            async with self._running(catalog, name, person) as world:
                await world.start()
                for prepare in given[-1:]:
                    await prepare(world)
            self._prepared[catalog, given] = name, person
        return self._prepared[catalog, given]

    async def _someone(self, name: str) -> Person:
        database = Database(connect(on_database(self.ground.server_url, name), pool_size=1), Clock())
        try:
            made = await new_person(database)
        finally:
            await database.close()
        return Person("", made.token, made.user.id, made.user.personal_workspace_id)

    @asynccontextmanager
    async def _copied(self, template: str) -> AsyncGenerator[str]:
        name = _new_name()
        await self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield name
        finally:
            await self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @asynccontextmanager
    async def _running(self, catalog: str, name: str, person: Person) -> AsyncGenerator[World]:
        ground, url = self.ground, on_database(self.ground.server_url, name)
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx.AsyncClient(timeout=60.0, verify=False))
            sandbox = SandboxControls(f"http://127.0.0.1:{ground.sandbox_port}", http)
            pid = await ground.nursery.start(
                *("sandbox", "--port", str(ground.sandbox_port), "--database-url", url),
                output=ground.folder / f"{name}.sandbox",
            )
            stack.push_async_callback(end, ground.nursery, pid)
            await eventually(lambda: answers(http, sandbox.url))
            database = Database(connect(url, pool_size=2), Clock())
            stack.push_async_callback(database.close)
            api = Api(f"http://127.0.0.1:{ground.port}", http)
            world = World(ground, catalog, url, api, sandbox, database, person)
            stack.push_async_callback(world.stop)
            yield world

    async def _administer(self, statement: str) -> None:
        connection = await open_connection(self.ground.server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def reserved_ports(count: int) -> Generator[list[int]]:
    """Ports that servers may listen on again and again, and that the system gives to nobody else meanwhile."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _new_name() -> str:
    return f"crash_{uuid4().hex[:12]}"
