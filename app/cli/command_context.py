"""What commands work with: the settings, the database alone, or the whole backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app import logs
from app.clock import Clock
from app.db.engine import Database, connect
from app.main import Backend, open_backend
from app.server.database import check_database, database_running
from app.server.home import secret_key
from app.settings import Settings

T = TypeVar("T")


def read_settings() -> Settings:
    """The settings of the environment; logs are written from now on. Raises pydantic's `ValidationError`."""
    settings = Settings()  # pyright: ignore[reportCallIssue]
    logs.configure(as_json=settings.is_production)
    return settings


def with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """What `work` returns, given the database alone. Raises `StartError` for one that is away or not at the newest schema."""

    async def run(url: str) -> T:
        await check_database(url)
        database = Database(connect(url, pool_size=2), Clock())
        try:
            return await work(database)
        finally:
            await database.close()

    with database_running(read_settings(), keep_if_found=True) as url:
        return asyncio.run(run(url))


def with_backend(work: Callable[[Backend], Awaitable[T]]) -> T:
    """What `work` returns, given the whole backend, the payment provider included. Raises what `with_database` does."""

    async def run(settings: Settings, url: str) -> T:
        await check_database(url)
        async with open_backend(settings, url, secret_key(settings), listens=False) as backend:
            return await work(backend)

    settings = read_settings()
    with database_running(settings, keep_if_found=True) as url:
        return asyncio.run(run(settings, url))
