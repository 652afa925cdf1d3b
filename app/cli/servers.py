"""`dev`, `serve`, `worker`: running the product."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.command_context import read_settings
from app.cli.command_error import CommandError
from app.server import running

commands = typer.Typer()


@commands.command()
def dev() -> None:
    """Run everything on this machine: PostgreSQL, the Stripe sandbox, the worker and the API."""
    settings = read_settings()
    if settings.is_production:
        raise CommandError("`counterfoil dev` is for development; in production run `counterfoil serve`.")
    running.run_development(settings)


@commands.command()
def serve(
    worker: Annotated[bool, typer.Option(help="Run the worker in this process too.")] = True,
) -> None:
    """Serve the API (and run the worker) against the configured PostgreSQL and Stripe."""
    running.run_server(read_settings(), serves=True, works=worker)


@commands.command()
def worker() -> None:
    """Run the worker alone: the queue, and what falls due."""
    running.run_server(read_settings(), serves=False, works=True)
