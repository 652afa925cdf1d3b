"""The unit of work: the only file that commits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from app.db.engine import Database, Session

T = TypeVar("T")

_ATTEMPTS = 3
# serialization failure and deadlock: PostgreSQL asks that the whole transaction be tried again
_RETRYABLE = frozenset({"40001", "40P01"})


async def transact(database: Database, work: Callable[[Session], Awaitable[T]], *, step: str = "unit") -> T:
    """Run `work` in one transaction, commit it with its outbox, and return what it returned.

    An error rolls everything back and is raised on. Deadlocks and serialization failures are tried three times at most, so `work`
    may run more than once and must change nothing but the session. `step` names the commit for crash tests.
    """
    attempt = 1
    while True:
        try:
            return await _attempt(database, work, step)
        except DBAPIError as error:
            if attempt == _ATTEMPTS or getattr(error.orig, "sqlstate", None) not in _RETRYABLE:
                raise
            attempt += 1


async def _attempt(database: Database, work: Callable[[Session], Awaitable[T]], step: str) -> T:
    async with database.session() as session:
        result = await work(session)
        await session.flush()
        if session.outbox.jobs or session.outbox.hints:
            await session.outbox.send(await session.connection(), database.hints)
        database.fault(f"{step}:before-commit")
        await session.commit()
        database.fault(f"{step}:after-commit")
        hints = session.outbox.hints
    if hints and database.hints.transactional_channel is None:
        await database.hints.publish(hints)
    return result
