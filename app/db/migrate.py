"""Bring a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
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


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Run every migration up to `revision`; several processes may call it at once, and one does the work."""
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade, revision)
        await connection.commit()


def _upgrade(connection: Connection, revision: str) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
