"""`workspace …`: what an operator may change of a workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from app.billing.purchases.spend_limits import set_limit
from app.cli import workspace_plans
from app.cli.arguments import plain_amount
from app.cli.command_context import with_backend
from app.cli.command_error import CommandError
from app.db.tables.billing_details import CustomerImportRow
from app.db.unit_of_work import transact
from app.errors import DomainError, ProtocolError
from app.flows.invoices.history_import import adopt_customer, import_history
from app.main import Backend
from app.money import Money
from app.payments.gateway_errors import GatewayUnavailable
from app.store import customer_imports as customer_import_store
from app.wording import count

commands = typer.Typer(help="One workspace.", no_args_is_help=True)
commands.command("show")(workspace_plans.show)
commands.command("set-plan")(workspace_plans.set_plan_of)
commands.command("refund-again")(workspace_plans.refund_again_of)


# so that a negative amount is refused as an amount, not as an option that does not exist
@commands.command("set-limit", context_settings={"ignore_unknown_options": True})
def workspace_set_limit(
    handle: Annotated[str, typer.Argument(help="The workspace's handle.")],
    amount: Annotated[
        str | None, typer.Argument(help="The most that may be spent on credits a month, e.g. 500.00.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Go back to the plan's own limit.")] = False,
) -> None:
    """Set the most that a workspace may spend on credits in a calendar month, tax included.

    What was charged counts; refunds do not free it.
    """
    if (amount is None) != plan:
        raise CommandError("Give an amount, or --plan to go back to the plan's own limit.")

    async def work(backend: Backend) -> str:
        limit = Money.of(plain_amount(amount), backend.runtime.catalog.currency) if amount is not None else None
        return await transact(
            backend.runtime.database,
            lambda session: set_limit(session, backend.runtime.catalog, handle, limit),
            step="limit.set",
        )

    print(with_backend(work))


@commands.command("adopt")
def workspace_adopt(
    handle: Annotated[str, typer.Argument(help="The workspace's handle.")],
    customer: Annotated[str, typer.Argument(help="The customer's id at Stripe, cus_….")],
) -> None:
    """Give a workspace a customer that was at Stripe before, and import its cards, billing details, subscription and invoices.

    Where this is interrupted, the worker goes on; the same command again says how far it is. Nobody is mailed about old invoices.
    """

    async def work(backend: Backend) -> str:
        try:
            begun = await adopt_customer(backend.flow_context, handle, customer)
            await import_history(backend.flow_context, begun.workspace_id)
        except (DomainError, ProtocolError) as refused:
            raise CommandError(refused.message) from None
        except GatewayUnavailable:
            raise CommandError(
                "Stripe could not be reached. Give the same command again; what was begun, the worker goes on with."
            ) from None
        async with backend.runtime.database.read() as session:
            row = await customer_import_store.find(session, begun.workspace_id)
        assert row is not None
        return _told(handle, row)

    print(with_backend(work))


def _told(handle: str, row: CustomerImportRow) -> str:
    """How far an import is, in sentences."""
    read = count(row.invoices, "invoice")
    if row.next_check_at is not None:
        return f"{handle} has the customer {row.customer_id}. Its history is being imported: {read} so far."
    lines = [f"{handle} has the customer {row.customer_id}, with its history: {read}."]
    lines += [
        f"{each} is not of this catalog, or is mixed with what is not: it goes on at Stripe, is billed there, and the workspace's "
        "plan does not follow it. Move it to a price of the catalog in Stripe's dashboard, or end it there."
        for each in row.foreign_subscriptions.split()
    ]
    return "\n".join(lines)
