"""The queue's consumer: runs tasks from PostgreSQL at least once each, and retries them with back-off when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TypeAlias

import asyncpg
import orjson
import structlog
from pgqueuer.applications import PgQueuer
from pgqueuer.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.models import Job

from app.db.engine import open_connection
from app.jobs.outage_log import OutageLog, log_fields

Task: TypeAlias = Callable[[Mapping[str, str]], Awaitable[None]]

# the pauses between so many add up to over three hours
_ATTEMPTS = 48
_RECONNECT_SECONDS = 2.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def consume(database_url: str, tasks: Mapping[str, Task], stopping: asyncio.Event) -> None:
    """Run `tasks` by name until `stopping` is set, on a connection of its own that is opened again when it is lost.

    A task that fails is retried after a second at first and five minutes at most, for over three hours: a mail server may be away
    that long. A task whose process died is run by another process within half a minute.
    """
    outage_log = OutageLog()
    while not stopping.is_set():
        try:
            connection = await open_connection(database_url)
        except (OSError, asyncpg.PostgresError) as error:
            if outage_log.should_log("connection", error):
                _log.warning("queue.connection_failed", error=type(error).__name__)
            await _pause(stopping)
            continue
        outage_log.clear("connection")
        try:
            await _consume_on(connection, tasks, stopping)
        except Exception as error:
            if stopping.is_set():
                break
            _log.warning("queue.interrupted", error=type(error).__name__)
            await _pause(stopping)
        finally:
            with suppress(Exception):
                await connection.close(timeout=2)


async def _consume_on(connection: asyncpg.Connection, tasks: Mapping[str, Task], stopping: asyncio.Event) -> None:
    queue = PgQueuer.from_asyncpg_connection(connection)
    for name, task in tasks.items():
        executor = partial(DatabaseRetryEntrypointExecutor, max_attempts=_ATTEMPTS)
        queue.entrypoint(name, executor_factory=executor)(partial(_run, name, task))

    def lost(_connection: object) -> None:
        queue.shutdown.set()

    connection.add_termination_listener(lost)
    watcher = asyncio.create_task(_stop_with(stopping, queue))
    try:
        await queue.run(dequeue_timeout=timedelta(seconds=5))
    finally:
        watcher.cancel()


async def _run(name: str, task: Task, job: Job) -> None:
    try:
        await task(orjson.loads(job.payload or b"{}"))
    except Exception as error:
        _log.warning("task.failed", task=name, attempt=job.attempts, **log_fields(error))
        raise


async def _stop_with(stopping: asyncio.Event, queue: PgQueuer) -> None:
    await stopping.wait()
    queue.shutdown.set()


async def _pause(stopping: asyncio.Event) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stopping.wait(), _RECONNECT_SECONDS)
