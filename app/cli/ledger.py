"""`ledger …`: proving the books."""

from __future__ import annotations

import typer

from app.cli.command_context import with_database
from app.db.engine import Database
from app.ledger.verify import verify

commands = typer.Typer(help="The ledger of credits.", no_args_is_help=True)


@commands.command("verify")
def ledger_verify() -> None:
    """Prove that every balance is the sum of its entries; name the first row that disagrees."""

    async def work(database: Database) -> bool:
        async with database.read() as session:
            report = await verify(session)
        counted = f"{report.transactions} transactions of {report.workspaces} workspaces"
        print(
            f"The ledger is sound: {counted} agree." if report.fault is None else f"The ledger is wrong: {report.fault}"
        )
        return report.is_sound

    if not with_database(work):
        raise typer.Exit(1)
