"""Bring a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import connect

_MIGRATIONS = Path(__file__).parents[2] / "migrations"


def configuration() -> Config:
    """Alembic's settings: where the migrations lie. The connection is handed over by whoever runs them."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


async def upgrade_database(url: str) -> None:
    """Bring the database at `url` to the newest schema."""
    engine = connect(url, pool_size=1)
    try:
        await upgrade(engine)
    finally:
        await engine.dispose()


async def is_newest(engine: AsyncEngine) -> bool:
    """Whether the database is at the newest schema that this program knows."""
    newest = ScriptDirectory.from_config(configuration()).get_current_head()
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision()) == newest


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Run every migration up to `revision`; several processes may call it at once, and one does the work."""
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade, revision)
        await connection.commit()


def _upgrade(connection: Connection, revision: str) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
