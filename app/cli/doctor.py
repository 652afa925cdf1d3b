"""`doctor`: what an operator has to look after, since no program can or could, and what of the settings is better set otherwise."""

from __future__ import annotations

import typer

from app.catalog import Catalog, load_catalog
from app.cli.command_context import read_settings, with_database
from app.db.engine import Database
from app.money import Money
from app.server.start_error import StartError
from app.settings import Settings
from app.store import plan_moves as plan_move_store
from app.store import workspaces as workspace_store
from app.wording import count

commands = typer.Typer(help="What to look after.")


@commands.command("doctor")
def doctor() -> None:
    """Say what must be set in Stripe's dashboard, since Stripe lets no program read or write that, and what of our settings."""
    settings = read_settings()
    print(
        "To be set in Stripe's dashboard by hand, for test mode and live mode alike. Stripe tells no program how they are set."
    )
    for number, (place, what) in enumerate(dashboard_settings(load_catalog(settings.catalog)), 1):
        print(f"\n{number}. {place}\n   {what}")
    for sentence in _failed_refunds(settings):
        print(f"\n{sentence}")
    if settings.stripe_api_key is None:
        print("\nNow the built-in sandbox stands in for Stripe, and behaves so by itself.")
    for name, what in setting_advice(settings):
        print(f"\n{name}\n   {what}")


def setting_advice(settings: Settings) -> list[tuple[str, str]]:
    """Which settings are better set otherwise, and why."""
    advice: list[tuple[str, str]] = []
    if settings.abuse_pepper is None:
        advice.append(
            (
                "ABUSE_PEPPER is missing",
                "What guards against abuse (freed handles, phone numbers, who had a trial) is hashed with SECRET_KEY, and "
                "forgotten when that changes. Production needs a pepper; what SECRET_KEY has hashed is found again.",
            )
        )
    if settings.abuse_pepper is not None and settings.abuse_pepper in settings.abuse_pepper_old:
        advice.append(("ABUSE_PEPPER_OLD", "It names the present ABUSE_PEPPER too, which does nothing: take it away."))
    if settings.sales_email is None:
        advice.append(
            (
                "SALES_EMAIL is missing",
                "Requests for sales are kept and mailed to nobody: look at `counterfoil sales list` from time to time.",
            )
        )
    return advice


def _failed_refunds(settings: Settings) -> list[str]:
    """What operators have to look after of refunds, as far as there is a database to ask."""
    if settings.database_url is None and not (settings.counterfoil_home / "postgres").exists():
        return []
    try:
        found = with_database(_find_failed_refunds)
    except StartError as error:
        return [f"Refunds that failed could not be looked for. {error}"]
    return [
        f"A refund of {amount} to {handle} failed: {reason}. `workspace refund-again {handle}` repeats it."
        for handle, amount, reason in found
    ]


async def _find_failed_refunds(database: Database) -> list[tuple[str, Money, str]]:
    async with database.read() as session:
        rows = await plan_move_store.failed_refunds(session)
        found: list[tuple[str, Money, str]] = []
        for row in rows:
            workspace = await workspace_store.get(session, row.workspace_id)
            handle = workspace.handle if workspace is not None else str(row.workspace_id)
            found.append((handle, Money(row.amount_minor, row.currency), row.failure or "no reason given"))
    return found


def dashboard_settings(catalog: Catalog) -> list[tuple[str, str]]:
    """Where each setting is in the dashboard, and what it is to be."""
    days = count(catalog.grace_days, "day")
    return [
        (
            "Billing > Revenue recovery > Retries",
            f"Let retries go on for at least {days}, the grace period of the catalog: a card that works again then is charged. "
            "Smart Retries within two weeks are fine: what is unpaid when the grace period ends is called off, and never charged "
            "later.",
        ),
        (
            "Billing > Revenue recovery > Retries > If all retries for a payment fail",
            "Leave the subscription past due. Counterfoil ends it itself when the grace period is over; canceled by Stripe it "
            "would end when the last retry fails, which may be earlier.",
        ),
        (
            "Billing > Invoices > Tax rounding",
            "Round at line level, and do not change it later: then an invoice's tax is the sum of what its lines show.",
        ),
        (
            "Billing > Subscriptions and emails > Emails about failed payments, expiring cards and ended subscriptions",
            "Switch them off: the owners of a workspace are mailed by Counterfoil, and would be told twice.",
        ),
    ]
