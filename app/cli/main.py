"""The command line. `counterfoil dev` runs everything; the rest is for operators."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError
from rich.console import Console

from app.catalog import CatalogError
from app.cli import catalog, database, doctor, keys, ledger, purchase, sales, schema, servers, usage, workspace
from app.cli.command_error import CommandError
from app.errors import DomainError, NotFound
from app.object_storage import StorageMisconfigured
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.server.start_error import StartError

commands = typer.Typer(
    help="Counterfoil: accounts and billing behind one GraphQL schema.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
commands.add_typer(servers.commands)
commands.add_typer(database.commands)
commands.add_typer(doctor.commands)
commands.add_typer(catalog.commands, name="catalog")
commands.add_typer(keys.commands, name="keys")
commands.add_typer(purchase.commands, name="purchase")
commands.add_typer(sales.commands, name="sales")
commands.add_typer(ledger.commands, name="ledger")
commands.add_typer(workspace.commands, name="workspace")
commands.add_typer(usage.commands, name="usage")
commands.add_typer(schema.commands, name="schema")

_err = Console(stderr=True)

# what the operator can put right: shown as a sentence, without a traceback
_FOR_THE_OPERATOR = (
    ValidationError,
    CatalogError,
    StorageMisconfigured,
    DomainError,
    NotFound,
    StartError,
    CommandError,
    GatewayUnavailable,
    GatewayRefused,
)


def main() -> None:
    """Run the command line; what the operator can put right is shown as a sentence, without a traceback."""
    try:
        commands()
    except _FOR_THE_OPERATOR as error:
        _err.print(_sentence(error), style="bold red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)


def _sentence(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    lines = [
        f"{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}"
        if each["loc"]
        else each["msg"].removeprefix("Value error, ")
        for each in error.errors()
    ]
    return "\n".join(lines)
