"""The database that a server or a command works on: where it is, whether it can be reached, and its newest schema."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from app.db import embedded, migrate
from app.db.engine import connect
from app.server.start_error import StartError
from app.settings import Settings


async def check_database(url: str) -> None:
    """Raise `StartError` unless the database can be reached and is at the newest schema."""
    engine = connect(url, pool_size=1)
    try:
        with _reaching(url):
            newest = await migrate.is_newest(engine)
    finally:
        await engine.dispose()
    if not newest:
        raise StartError("The database is not at the newest schema: run `counterfoil migrate` first.")


async def migrate_database(url: str) -> None:
    """Bring the database to the newest schema; raises `StartError` unless it can be reached."""
    engine = connect(url, pool_size=1)
    try:
        with _reaching(url):
            async with engine.connect():
                pass
        # what goes wrong from here on is no matter of settings
        await migrate.upgrade(engine)
    finally:
        await engine.dispose()


@contextmanager
def _reaching(url: str) -> Generator[None]:
    try:
        yield
    except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = _without_user(_reason(error), url)
        raise StartError(f"The database can't be reached: {reason}. Look at DATABASE_URL.") from error


def _reason(error: Exception) -> str:
    """Why there is no connection, in PostgreSQL's or the system's own words."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__
        error = cause if isinstance(cause, Exception) else error
    if isinstance(error, asyncpg.PostgresError):
        return str(error.args[0] if error.args else "").strip().rstrip(".") or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _without_user(reason: str, url: str) -> str:
    user = make_url(url).username
    # as PostgreSQL writes names in English; a database often has its user's name, and that one stays
    return re.sub(rf'(user|role) "{re.escape(user)}"', r"this \1", reason) if user else reason


@contextmanager
def database_running(settings: Settings, *, keep_if_found: bool) -> Generator[str]:
    """The URL of the configured database, or else of the embedded server, started where it does not run yet.

    It is stopped at the end, but for one that ran before, with `keep_if_found`.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded.running(settings.counterfoil_home / "postgres", keep_if_found=keep_if_found) as url:
        yield url
