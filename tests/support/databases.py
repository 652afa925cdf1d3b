"""Databases for tests: one server a run, one migrated template, clones for whoever asks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import make_url

from app.clock import Clock
from app.db import embedded, migrate
from app.db.engine import Database, connect, open_connection

TEMPLATE = "counterfoil_template"


def start_server() -> tuple[str, Callable[[], None]]:
    """A PostgreSQL server with a migrated template: its URL, and what ends it.

    `TEST_DATABASE_URL` names one that is already there; its template is made anew.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        asyncio.run(_make_template(given))
        return given, lambda: None
    folder = Path(tempfile.mkdtemp(prefix="cfdb"))
    server, url = embedded.start(folder / "pg")
    asyncio.run(_administer(url, "ALTER SYSTEM SET max_connections = 1000"))
    # how many connections there may be is settled when the server starts
    server.stop()
    server.start()
    url = server.get_uri()

    def stop() -> None:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)

    asyncio.run(_make_template(url))
    return url, stop


async def _make_template(url: str) -> None:
    # what a test run writes need not survive a power cut
    await _administer(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    await _administer(url, f"DROP DATABASE IF EXISTS {TEMPLATE}", f"CREATE DATABASE {TEMPLATE}")
    engine = connect(on_database(url, TEMPLATE))
    try:
        await migrate.upgrade(engine)
    finally:
        await engine.dispose()


async def _administer(url: str, *statements: str) -> None:
    connection = await open_connection(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def on_database(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@asynccontextmanager
async def cloned_url(server_url: str) -> AsyncGenerator[str]:
    """The URL of a clone of the migrated template, dropped at the end."""
    async with _new_database(server_url, f"TEMPLATE {TEMPLATE}") as url:
        yield url


@asynccontextmanager
async def empty_url(server_url: str) -> AsyncGenerator[str]:
    """The URL of an empty database, dropped at the end."""
    async with _new_database(server_url, "") as url:
        yield url


@asynccontextmanager
async def _new_database(server_url: str, options: str) -> AsyncGenerator[str]:
    name = f"test_{uuid4().hex[:12]}"
    await _administer(server_url, f"CREATE DATABASE {name} {options}")
    try:
        yield on_database(server_url, name)
    finally:
        await _administer(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@asynccontextmanager
async def cloned_database(server_url: str) -> AsyncGenerator[Database]:
    """A `Database` on a clone of the migrated template."""
    async with cloned_url(server_url) as url:
        database = Database(connect(url), Clock())
        try:
            yield database
        finally:
            await database.close()


@contextlib.contextmanager
def server_for_run() -> Generator[str]:
    """`start_server` as a context manager, for scripts outside pytest."""
    url, stop = start_server()
    try:
        yield url
    finally:
        stop()
