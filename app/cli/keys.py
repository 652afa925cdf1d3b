"""`keys …`: keys for the host product's servers."""

from __future__ import annotations

from typing import Annotated

import typer

from app.accounts.access import api_keys
from app.accounts.access.permissions import ApiScope
from app.cli.arguments import moment
from app.cli.command_context import with_database
from app.cli.command_error import CommandError
from app.db.engine import Database, Session
from app.db.tables.access import ApiKeyRow
from app.db.unit_of_work import transact

commands = typer.Typer(help="Keys for the host product's servers.", no_args_is_help=True)


@commands.command("create")
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
        raise CommandError("Keys of a workspace are created by its owners in the API; give --service for one of yours.")

    async def work(database: Database) -> str:
        async def create(session: Session) -> str:
            ends_at = moment(expires, session.real_now) if expires is not None else None
            _, secret = await api_keys.create_service_key(session, name, scope, expires_at=ends_at)
            return secret

        return await transact(database, create, step="key.create")

    print(f"This is shown once: {with_database(work)}")


@commands.command("list")
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

    with_database(work)


@commands.command("revoke")
def keys_revoke(
    key: Annotated[str, typer.Argument(help="Its prefix, as lists show it, or its id.")],
) -> None:
    """Revoke a key, a workspace's too: the next request with it is refused, its live updates end within a minute."""

    async def work(database: Database) -> ApiKeyRow:
        return await transact(
            database, lambda session: api_keys.revoke_key(session, key.rstrip("…")), step="key.revoke"
        )

    revoked = with_database(work)
    print(f"{revoked.prefix}… ({revoked.name!r}) is revoked.")
