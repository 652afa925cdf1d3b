"""What commands run with: the settings, the database alone, or all running parts of the product."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from app import logs, server
from app.clock import Clock
from app.db import embedded
from app.db.engine import Database, connect
from app.main import Backend, open_backend
from app.settings import Settings

T = TypeVar("T")


def read_settings() -> Settings:
    settings = Settings()  # pyright: ignore[reportCallIssue]
    logs.configure(as_json=settings.is_production)
    return settings


@contextmanager
def database_url(settings: Settings) -> Generator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded.running(server.database_folder(settings), keep_if_found=True) as url:
        yield url


def with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    async def run(url: str) -> T:
        await server.check_database(url)
        database = Database(connect(url, pool_size=2), Clock())
        try:
            return await work(database)
        finally:
            await database.close()

    with database_url(read_settings()) as url:
        return asyncio.run(run(url))


def with_backend(work: Callable[[Backend], Awaitable[T]]) -> T:
    async def run(settings: Settings, url: str) -> T:
        await server.check_database(url)
        async with open_backend(settings, url, server.secret_key(settings), listens=False) as backend:
            return await work(backend)

    settings = read_settings()
    with database_url(settings) as url:
        return asyncio.run(run(settings, url))
