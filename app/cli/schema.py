"""`schema …`: the GraphQL schema."""

from __future__ import annotations

import typer

commands = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)


@commands.command("export")
def schema_export() -> None:
    """Print the GraphQL schema."""
    from schema.root import schema

    print(schema.as_str())
