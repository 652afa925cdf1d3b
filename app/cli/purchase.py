"""`purchase …`: what an operator may do with a purchase of credits."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.arguments import plain_amount, purchase_of
from app.cli.command_context import with_backend
from app.cli.command_error import CommandError
from app.db.tables.purchases import RefundState
from app.errors import DomainError, ProtocolError
from app.flows.purchases.refunds import refund_purchase
from app.main import Backend
from app.money import Money
from app.payments.gateway_errors import GatewayUnavailable
from app.store import purchases as purchase_store

commands = typer.Typer(help="One purchase of credits.", no_args_is_help=True)


@commands.command("refund")
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

    async def work(backend: Backend) -> str:
        where = purchase_of(purchase_id)
        try:
            refund = await refund_purchase(backend.flow_context, *where, amount=chosen, reason=reason)
        except (DomainError, ProtocolError) as refused:
            raise CommandError(refused.message) from None
        except GatewayUnavailable:
            raise CommandError(
                "Stripe could not be reached. The worker goes on with what was begun: look at the purchase before you ask again."
            ) from None
        if refund.status == RefundState.FAILED:
            raise CommandError(f"The refund failed: {refund.failure}")
        async with backend.runtime.database.read() as session:
            purchase = await purchase_store.find(session, *where)
        assert purchase is not None
        back = Money(refund.amount_minor, purchase.currency)
        done = "was refunded" if refund.status == RefundState.SUCCEEDED else "is being refunded by the bank"
        unit = backend.runtime.catalog.credit_unit
        reclaimed = unit.text(purchase.reclaimed_credits)
        return f"{back} {done} ({refund.provider_id}); {reclaimed} taken back in all."

    print(with_backend(work))
