"""`migrate`, `seed`: preparing the database."""

from __future__ import annotations

import asyncio

import typer

from app.cli.command_context import read_settings, with_backend
from app.cli.command_error import CommandError
from app.main import Backend
from app.server.database import database_running, migrate_database
from app.server.demo_user import seed_demo

commands = typer.Typer()


@commands.command(name="migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema."""
    with database_running(read_settings(), keep_if_found=True) as url:
        asyncio.run(migrate_database(url))
    print("The database is at the newest schema.")


@commands.command()
def seed() -> None:
    """Make the demo user, unless it is there; not in production, since everybody knows its password."""
    if read_settings().is_production:
        raise CommandError("`counterfoil seed` is for development: everybody knows the demo user's password.")

    async def work(backend: Backend) -> bool:
        runtime = backend.runtime
        return await seed_demo(runtime.database, runtime.keys.abuse_key, runtime.trials)

    made = with_backend(work)
    print("The demo user is ready." if made else "The demo user was there already.")
