"""The unit of work commits everything together, or nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.ids import uuid7


async def _queued(database: Database) -> int:
    async with database.read() as session:
        return (await session.execute(text("SELECT count(*) FROM pgqueuer"))).scalar_one()


async def test_jobs_are_committed_with_the_work(fresh_database: Database) -> None:
    async def work(session: Session) -> None:
        await session.execute(text("SELECT 1"))
        session.outbox.enqueue("nothing", {"a": "b"})
        session.outbox.hint("credit_balance", uuid7(), uuid7(), 1)

    await transact(fresh_database, work)
    assert await _queued(fresh_database) == 1


async def test_an_error_rolls_back_the_work_and_its_jobs(fresh_database: Database) -> None:
    async def work(session: Session) -> None:
        session.outbox.enqueue("nothing", {})
        await session.execute(text("SELECT 1/0"))

    with pytest.raises(Exception, match="division by zero"):
        await transact(fresh_database, work)
    assert await _queued(fresh_database) == 0


async def test_jobs_are_not_committed_when_the_commit_fails(fresh_database: Database) -> None:
    def crash(point: str) -> None:
        if point == "unit:before-commit":
            raise ConnectionError(point)

    fresh_database.fault = crash

    async def work(session: Session) -> None:
        await session.execute(text("SELECT 1"))
        session.outbox.enqueue("nothing", {})

    with pytest.raises(ConnectionError):
        await transact(fresh_database, work)
    assert await _queued(fresh_database) == 0


async def test_jobs_before_the_first_statement_are_refused_since_they_would_commit_alone(
    fresh_database: Database,
) -> None:
    async def work(session: Session) -> None:
        session.outbox.enqueue("nothing", {})

    with pytest.raises(RuntimeError, match="transaction that has begun"):
        await transact(fresh_database, work)
    assert await _queued(fresh_database) == 0
