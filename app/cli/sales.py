"""`sales …`: who asked to be talked to."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.command_context import with_database
from app.db.engine import Database
from app.store import sales_requests as sales_request_store

commands = typer.Typer(help="Who asked for the sellers.", no_args_is_help=True)


@commands.callback()
def sales() -> None:
    """Who asked for the sellers."""


@commands.command("list")
def sales_list(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list at most.")] = 100,
) -> None:
    """List who asked with contactSales to be talked to, the newest first: when, about which workspace, and where to answer."""

    async def work(database: Database) -> None:
        async with database.read() as session:
            found = await sales_request_store.newest(session, limit=limit)
        for each in found:
            print(f"{each.created_at:%Y-%m-%d %H:%M}  {each.handle}  {each.address or 'no address'}")
            for line in (each.message or "").splitlines():
                print(f"    {line}")
        if not found:
            print("Nobody has asked.")

    with_database(work)
