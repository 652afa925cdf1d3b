"""`catalog …`: what is sold, at the payment provider."""

from __future__ import annotations

import typer

from app.cli.command_context import with_backend
from app.flows.provider.catalog_sync import sync_catalog
from app.flows.provider.portals import sync_portals
from app.main import Backend

commands = typer.Typer(help="The catalog of what is sold.", no_args_is_help=True)


@commands.command("sync")
def catalog_sync() -> None:
    """Make Stripe know the catalog's products, prices, tax rates and portal; running it again changes nothing."""

    async def work(backend: Backend) -> int:
        count = await sync_catalog(backend.flow_context)
        await sync_portals(backend.flow_context)
        return count

    print(f"{with_backend(work)} prices and tax rates are in Stripe.")
