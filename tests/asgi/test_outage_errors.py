"""A database that is away is answered as UNAVAILABLE, however it is away: clients try again, and nobody looks for a bug."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from app.asgi.outage_errors import classify
from app.clock import Clock
from app.db.engine import Database, connect
from app.errors import Unavailable
from tests.support.server import free_ports


async def _failure_of(database: Database, statement: str = "SELECT 1") -> BaseException:
    try:
        async with database.read() as session:
            await session.execute(text(statement))
    except Exception as error:
        return error
    raise AssertionError("it was there")


@pytest.mark.parametrize(
    "where",
    [
        "postgresql://nobody@127.0.0.1:{port}/none",
        "postgresql://nobody@localhost:{port}/none",
        "postgresql://nobody@/none?host={folder}",
        "postgresql://nobody@no-such-host.invalid/none",
    ],
)
async def test_a_database_that_can_not_be_reached_is_unavailable(where: str, tmp_path: Path) -> None:
    database = Database(connect(where.format(port=free_ports(1)[0], folder=tmp_path)), Clock())
    try:
        assert isinstance(classify(await _failure_of(database)), Unavailable)
    finally:
        await database.close()


async def test_a_database_that_ends_the_connection_is_unavailable(fresh_database: Database) -> None:
    killed = await _failure_of(fresh_database, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert isinstance(classify(killed), Unavailable)


async def test_a_mistake_of_ours_is_none_of_the_databases(fresh_database: Database) -> None:
    assert classify(await _failure_of(fresh_database, "SELECT nonsense")) is None
    assert classify(FileNotFoundError("a file of ours")) is None
