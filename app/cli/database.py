"""`migrate`, `seed`: preparing the database."""

from __future__ import annotations

import asyncio

import typer

from app import server
from app.cli.running import database_url, read_settings, with_backend
from app.main import Backend

commands = typer.Typer()


@commands.command(name="migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema."""
    with database_url(read_settings()) as url:
        asyncio.run(server.migrate_database(url))
    print("The database is at the newest schema.")


@commands.command()
def seed() -> None:
    """Make the demo user, unless it is there; not in production, since everybody knows its password."""
    if read_settings().is_production:
        raise server.StartError("`counterfoil seed` is for development: everybody knows the demo user's password.")

    async def work(backend: Backend) -> bool:
        return await server.seed_demo(backend.runtime.database, backend.runtime.keys.abuse_key)

    made = with_backend(work)
    print("The demo user is ready." if made else "The demo user was there already.")
