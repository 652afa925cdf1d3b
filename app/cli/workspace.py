"""`workspace …`: what an operator may change of a workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from app.billing.purchases.spend_limits import set_limit
from app.cli import workspace_plans
from app.cli.arguments import plain_amount
from app.cli.command_context import with_backend
from app.cli.command_error import CommandError
from app.db.unit_of_work import transact
from app.main import Backend
from app.money import Money

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
