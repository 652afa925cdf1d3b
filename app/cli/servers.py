"""`dev`, `serve`, `worker`: running the product."""

from __future__ import annotations

from typing import Annotated

import typer

from app import server
from app.cli.running import read_settings

commands = typer.Typer()


@commands.command()
def dev() -> None:
    """Run everything on this machine: PostgreSQL, the Stripe sandbox, the worker and the API."""
    settings = read_settings()
    if settings.is_production:
        raise server.StartError("`counterfoil dev` is for development; in production run `counterfoil serve`.")
    server.run_development(settings)


@commands.command()
def serve(
    worker: Annotated[bool, typer.Option(help="Run the worker in this process too.")] = True,
) -> None:
    """Serve the API (and run the worker) against the configured PostgreSQL and Stripe."""
    server.run_server(read_settings(), serves=True, works=worker)


@commands.command()
def worker() -> None:
    """Run the worker alone: the queue, and what falls due."""
    server.run_server(read_settings(), serves=False, works=True)
