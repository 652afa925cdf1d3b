"""The command line. `counterfoil dev` runs everything; the rest is for operators."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console

from app import logs, server
from app.accounts import api_keys
from app.accounts.access import ApiScope
from app.billing.spend_limits import set_limit
from app.catalog import CatalogError
from app.clock import Clock
from app.db import embedded
from app.db.engine import Database, Session, connect
from app.db.tables.payments import RefundState
from app.db.tables.workspaces import ApiKeyRow
from app.db.unit_of_work import transact
from app.errors import DomainError, NotFound, ProtocolError
from app.flows.catalog_sync import sync_catalog
from app.flows.refunds import refund_purchase
from app.ids import parse_global_id
from app.ledger.verify import verify
from app.main import House, open_house
from app.money import Money
from app.payments.values import GatewayRefused, GatewayUnavailable
from app.settings import Settings
from app.storage import StorageMisconfigured
from app.store import purchases

T = TypeVar("T")

cli = typer.Typer(
    help="Counterfoil: accounts and billing behind one GraphQL schema.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
catalog_cli = typer.Typer(help="The catalog of what is sold.", no_args_is_help=True)
keys_cli = typer.Typer(help="Keys for the host product's servers.", no_args_is_help=True)
purchase_cli = typer.Typer(help="One purchase of credits.", no_args_is_help=True)
ledger_cli = typer.Typer(help="The ledger of credits.", no_args_is_help=True)
workspace_cli = typer.Typer(help="One workspace.", no_args_is_help=True)
schema_cli = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)
cli.add_typer(catalog_cli, name="catalog")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(purchase_cli, name="purchase")
cli.add_typer(ledger_cli, name="ledger")
cli.add_typer(workspace_cli, name="workspace")
cli.add_typer(schema_cli, name="schema")

_err = Console(stderr=True)

_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_NEGATIVE = re.compile(rf"-{_PLAIN.pattern}", re.ASCII)


# what the operator can mend: said in a sentence, without a traceback
_MENDABLE = (
    ValidationError,
    CatalogError,
    StorageMisconfigured,
    DomainError,
    NotFound,
    server.StartError,
    GatewayUnavailable,
    GatewayRefused,
)


def main() -> None:
    """Run the command line; what the operator can mend is said in a sentence, without a traceback."""
    try:
        cli()
    except _MENDABLE as error:
        _err.print(_plain(error), style="bold red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)


def _plain(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    lines = [
        f"{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}"
        if each["loc"]
        else each["msg"].removeprefix("Value error, ")
        for each in error.errors()
    ]
    return "\n".join(lines)


@cli.command()
def dev() -> None:
    """Run everything on this machine: PostgreSQL, the Stripe sandbox, the worker and the API."""
    settings = _settings()
    if settings.is_production:
        raise server.StartError("`counterfoil dev` is for development; in production run `counterfoil serve`.")
    server.run_development(settings)


@cli.command()
def serve(
    worker: Annotated[bool, typer.Option(help="Run the worker in this process too.")] = True,
) -> None:
    """Serve the API (and run the worker) against the configured PostgreSQL and Stripe."""
    server.run_server(_settings(), serves=True, works=worker)


@cli.command()
def worker() -> None:
    """Run the worker alone: the queue, and what falls due."""
    server.run_server(_settings(), serves=False, works=True)


@cli.command(name="migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema."""
    with _database_url(_settings()) as url:
        asyncio.run(server.migrate_database(url))
    print("The database is at the newest schema.")


@cli.command()
def seed() -> None:
    """Make the demo user, unless it is there; not in production, since everybody knows its password."""
    if _settings().is_production:
        raise server.StartError("`counterfoil seed` is for development: everybody knows the demo user's password.")

    async def work(house: House) -> bool:
        return await server.seed_demo(house.runtime.database, house.runtime.keys.guards)

    made = _in_house(work)
    print("The demo user is ready." if made else "The demo user was there already.")


@catalog_cli.command("sync")
def catalog_sync() -> None:
    """Make Stripe know the catalog's products, prices and tax rates; running it again changes nothing."""

    async def work(house: House) -> int:
        return await sync_catalog(house.desk)

    print(f"{_in_house(work)} prices and tax rates are in Stripe.")


@keys_cli.command("create")
def keys_create(
    name: Annotated[str, typer.Option(help="What the key is for; shown in audit logs.")],
    scope: Annotated[
        list[ApiScope],
        typer.Option(
            help="What it may be used for, in every workspace; repeatable. CREDITS_WRITE, OPERATOR and USAGE_WRITE are for "
            "service keys alone; BILLING_READ and BILLING_WRITE are what customers' keys have too."
        ),
    ],
    service: Annotated[bool, typer.Option("--service", help="A key of the host product, for every workspace.")] = False,
    expires: Annotated[
        str | None,
        typer.Option(help="When it ends: after so many days, such as 90d, or a date, such as 2027-01-31 (UTC)."),
    ] = None,
) -> None:
    """Create a service key and print it, once, as the last word."""
    if not service:
        raise server.StartError(
            "Keys of a workspace are created by its owners in the API; give --service for one of yours."
        )

    async def work(database: Database) -> str:
        async def create(session: Session) -> str:
            ends_at = moment(expires, session.real_now) if expires is not None else None
            _, secret = await api_keys.create_service_key(session, name, scope, expires_at=ends_at)
            return secret

        return await transact(database, create, step="key.create")

    print(f"This is shown once: {_with_database(work)}")


def moment(text: str, now: datetime) -> datetime:
    """So many days from now, or a date or time in ISO 8601, in UTC unless it says otherwise."""
    try:
        if text.endswith("d") and text[:-1].isdecimal():
            return now + timedelta(days=int(text[:-1]))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise server.StartError(f"{text!r} is no time: write it like 90d or 2027-01-31.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@keys_cli.command("list")
def keys_list() -> None:
    """List the service keys that were not revoked, the newest first."""

    async def work(database: Database) -> None:
        async with database.read() as session:
            rows, now = await api_keys.service_keys(session), session.real_now
        for row in rows:
            ends = "never" if row.expires_at is None else f"{row.expires_at:%Y-%m-%d}"
            ended = " (expired)" if row.expires_at is not None and row.expires_at <= now else ""
            used = "never" if row.last_used_at is None else f"{row.last_used_at:%Y-%m-%d %H:%M}"
            scopes = ", ".join(row.scopes)
            print(f"{row.prefix}…  {row.id}  {row.name!r}  {scopes}  last used: {used}  expires: {ends}{ended}")
        if not rows:
            print("There are no service keys.")

    _with_database(work)


@keys_cli.command("revoke")
def keys_revoke(
    key: Annotated[str, typer.Argument(help="Its prefix, as lists show it, or its id.")],
) -> None:
    """Revoke a key, a workspace's too: the next request with it is refused, its live updates end within a minute."""

    async def work(database: Database) -> ApiKeyRow:
        return await transact(
            database, lambda session: api_keys.revoke_key(session, key.rstrip("…")), step="key.revoke"
        )

    revoked = _with_database(work)
    print(f"{revoked.prefix}… ({revoked.name!r}) is revoked.")


@ledger_cli.command("verify")
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

    if not _with_database(work):
        raise typer.Exit(1)


# a negative amount is told to be one, and not to be an option that there isn't
@workspace_cli.command("set-limit", context_settings={"ignore_unknown_options": True})
def workspace_set_limit(
    handle: Annotated[str, typer.Argument(help="The workspace's handle.")],
    amount: Annotated[
        str | None, typer.Argument(help="The most that may be spent on credits a month, e.g. 500.00.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Go back to the plan's own limit.")] = False,
) -> None:
    """Set the most that a workspace may spend on credits in a calendar month, tax included."""
    if (amount is None) != plan:
        raise server.StartError("Give an amount, or --plan to go back to the plan's own limit.")

    async def work(house: House) -> str:
        limit = Money.of(plain_amount(amount), house.runtime.catalog.currency) if amount is not None else None
        return await transact(
            house.runtime.database,
            lambda session: set_limit(session, house.runtime.catalog, handle, limit),
            step="limit.set",
        )

    print(_in_house(work))


def plain_amount(text: str) -> Decimal:
    """An amount as the API takes it too: digits, and a point where there are some after it; no exponents and no NaN."""
    if _NEGATIVE.fullmatch(text):
        raise server.StartError("The amount must not be negative.")
    if not _PLAIN.fullmatch(text):
        raise server.StartError(f"{text!r} is no amount: write it like 500.00.")
    return Decimal(text)


@purchase_cli.command("refund")
def purchase_refund(
    purchase_id: Annotated[str, typer.Argument(help="The purchase's id, as the API gives it.")],
    amount: Annotated[str | None, typer.Option(help="How much, such as 2.50; by default all that is left.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept with the refund here and at Stripe.")] = None,
) -> None:
    """Refund a purchase to its card, in full or in part; the credits it bought are taken back in proportion.

    If this is interrupted, or Stripe can't be reached, the worker goes on with what was begun: look at the purchase before you ask
    for another refund in part.
    """
    chosen = plain_amount(amount) if amount is not None else None

    async def work(house: House) -> str:
        where = _purchase(purchase_id)
        try:
            refund = await refund_purchase(house.desk, *where, amount=chosen, reason=reason)
        except (DomainError, ProtocolError) as refused:
            raise server.StartError(refused.message) from None
        except GatewayUnavailable:
            raise server.StartError(
                "Stripe could not be reached. The worker goes on with what was begun: look at the purchase before you ask again."
            ) from None
        if refund.status == RefundState.FAILED:
            raise server.StartError(f"The refund failed: {refund.failure}")
        async with house.runtime.database.read() as session:
            purchase = await purchases.find(session, *where)
        assert purchase is not None
        back = Money(refund.amount_minor, purchase.currency)
        done = "was refunded" if refund.status == RefundState.SUCCEEDED else "is being refunded by the bank"
        unit = house.runtime.catalog.credit_unit
        reclaimed = unit.from_steps(purchase.reclaimed_credits)
        return f"{back.amount} {back.currency} {done} ({refund.provider_id}); {reclaimed:,f} {unit.name} taken back in all."

    print(_in_house(work))


def _purchase(text: str) -> tuple[UUID, UUID]:
    """The workspace and the row that the API's id of a purchase names."""
    try:
        found = parse_global_id(text)
    except NotFound:
        found = None
    if found is None or found.type != "CreditPurchase" or found.workspace_id is None or not isinstance(found.id, UUID):
        raise server.StartError(f"{text!r} is no id of a purchase.")
    return found.workspace_id, found.id


@schema_cli.command("export")
def schema_export() -> None:
    """Print the GraphQL schema."""
    from schema.root import schema

    print(schema.as_str())


def _settings() -> Settings:
    settings = Settings()  # pyright: ignore[reportCallIssue]
    logs.configure(as_json=settings.is_production)
    return settings


@contextmanager
def _database_url(settings: Settings) -> Generator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded.running(server.database_folder(settings), keep_if_found=True) as url:
        yield url


def _with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    async def run(url: str) -> T:
        await server.check_database(url)
        database = Database(connect(url, pool_size=2), Clock())
        try:
            return await work(database)
        finally:
            await database.close()

    with _database_url(_settings()) as url:
        return asyncio.run(run(url))


def _in_house(work: Callable[[House], Awaitable[T]]) -> T:
    async def run(settings: Settings, url: str) -> T:
        await server.check_database(url)
        async with open_house(settings, url, server.secret_key(settings), listens=False) as house:
            return await work(house)

    settings = _settings()
    with _database_url(settings) as url:
        return asyncio.run(run(settings, url))


if __name__ == "__main__":
    main()
