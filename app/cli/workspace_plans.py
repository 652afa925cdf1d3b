"""`workspace show`, `workspace set-plan` and `workspace refund-again`: what a workspace is on, and what an operator puts it on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

import typer

from app.billing.moves.set_plans import PlanOrder
from app.billing.subscriptions.plan_choice import PlanChoice, recurring_price
from app.billing.subscriptions.workspace_report import WorkspaceReport, workspace_report
from app.catalog import BillingInterval, Catalog
from app.cli.arguments import moment, plain_amount
from app.cli.command_context import with_backend
from app.cli.command_error import CommandError
from app.db.tables.plan_moves import MOVING, PlanMoveRow
from app.flows.moves.set_plan import PlanToSet, finish_under_way, plan_to_set, refund_again, set_plan
from app.main import Backend
from app.money import Money
from app.payments.gateway_errors import GatewayUnavailable
from app.store import plan_moves as plan_move_store
from app.store import workspaces as workspace_store
from app.wording import count

_AWAY: Final = (
    "Stripe does not answer. What was begun goes on by itself once it does; `workspace show` tells how far it is."
)


def show(handle: Annotated[str, typer.Argument(help="The workspace's handle.")]) -> None:
    """Say what a workspace is on: plan, subscription, seats, what is pending, its customer at Stripe, refunds that failed."""

    async def work(backend: Backend) -> WorkspaceReport:
        catalog = backend.runtime.catalog
        async with backend.runtime.database.read() as session:
            return await workspace_report(session, catalog, await _workspace_id(backend, handle))

    for name, text in with_backend(work).lines():
        print(f"{name + ':':<22}{text}")


def set_plan_of(
    handle: Annotated[str, typer.Argument(help="The workspace's handle.")],
    plan: Annotated[str, typer.Argument(help="The plan's code, a legacy one too.")],
    interval: Annotated[str | None, typer.Option(help="month or year.")] = None,
    seats: Annotated[int | None, typer.Option(help="How many seats there are in all.")] = None,
    add_on: Annotated[list[str] | None, typer.Option(help="CODE=N; repeatable.")] = None,
    price: Annotated[str | None, typer.Option(help="A base price of its own per interval, such as 500.00.")] = None,
    seat_price: Annotated[str | None, typer.Option(help="A price of its own per seat and interval.")] = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="RESOURCE=N or RESOURCE=unlimited: what is included; repeatable.")
    ] = None,
    spend_limit: Annotated[str | None, typer.Option(help="The most that may be spent on credits a month.")] = None,
    end_date: Annotated[str | None, typer.Option(help="When the plan ends, such as 90d or 2027-01-31.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before anything is charged or ended.")] = False,
) -> None:
    """Put a workspace on a plan. One without a price is given; any other is begun now, and charged to the card on file.

    A paid plan that the workspace has is ended at once, and what was paid for and not used of it goes back to the card. What is
    interrupted is finished by running this again, or by the worker.
    """

    async def work(backend: Backend) -> str:
        catalog, clock = backend.runtime.catalog, backend.runtime.database.clock
        order = PlanOrder(
            plan_code=plan,
            interval=_interval(interval),
            seats=seats,
            add_ons={code: _whole(number) for code, number in _pairs(add_on)},
            base=_money(price, catalog),
            per_seat=_money(seat_price, catalog),
            limits={code: _limit(text) for code, text in _pairs(limit)},
            spend_limit=_money(spend_limit, catalog),
        )
        ends_at = moment(end_date, clock.now()) if end_date is not None else None
        try:
            return await _set(backend, await _workspace_id(backend, handle), handle, order, ends_at, is_sure=yes)
        except GatewayUnavailable:
            raise CommandError(_AWAY) from None

    print(with_backend(work))


def refund_again_of(handle: Annotated[str, typer.Argument(help="The workspace's handle.")]) -> None:
    """Send the refunds of unused time that failed once more."""

    async def work(backend: Backend) -> str:
        workspace_id = await _workspace_id(backend, handle)
        try:
            sent = await refund_again(backend.flow_context, workspace_id)
        except GatewayUnavailable:
            raise CommandError(_AWAY) from None
        if not sent:
            raise CommandError(f"No refund of {handle} has failed.")
        async with backend.runtime.database.read() as session:
            failed = await plan_move_store.failed_refunds(session, workspace_id)
        if failed:
            reasons = "; ".join(dict.fromkeys(each.failure or "no reason given" for each in failed))
            raise CommandError(f"{count(len(failed), 'refund')} failed again: {reasons}")
        return f"The refunds of {handle} were sent again."

    print(with_backend(work))


async def _set(
    backend: Backend, workspace_id: UUID, handle: str, order: PlanOrder, ends_at: datetime | None, *, is_sure: bool
) -> str:
    context, catalog = backend.flow_context, backend.runtime.catalog
    finished = await finish_under_way(context, workspace_id)
    if finished is not None:
        return f"A move of {handle} that was under way before is finished. {_outcome(finished, handle)}"
    planned = await plan_to_set(context, workspace_id, order, ends_at=ends_at)
    for sentence in _announced(planned, handle, catalog):
        print(sentence)
    if not is_sure and _is_serious(planned):
        typer.confirm("Go on?", abort=True)
    return _outcome(await set_plan(context, planned), handle)


def _outcome(move: PlanMoveRow, handle: str) -> str:
    if move.failure is not None:
        raise CommandError(
            f"The plan could not be begun: {move.failure} `workspace show {handle}` tells what it is on now."
        )
    if move.state in MOVING:
        raise CommandError(_AWAY)
    return f"{handle} is on {move.goal['terms_id'].rpartition('-')[0] if move.goal is not None else 'the fallback plan'} now."


def _is_serious(planned: PlanToSet) -> bool:
    return planned.ended is not None or (planned.choice is not None and planned.choice.interval is not None)


def _announced(planned: PlanToSet, handle: str, catalog: Catalog) -> list[str]:
    """What will happen, before it does."""
    said: list[str] = []
    if planned.ended is not None:
        back = f"{planned.refund} goes back to the card" if planned.refund is not None else "nothing goes back"
        said.append(f"{planned.ended} of {handle} is ended at once, and {back}.")
    choice = planned.choice
    if choice is None:
        said.append(f"{handle} is on {catalog.fallback_plan.name} then.")
        return said
    until = f" until {planned.ends_at:%Y-%m-%d %H:%M} UTC" if planned.ends_at is not None else ""
    if choice.interval is None:
        said.append(f"{handle} is given {_named(choice)}{until}; nothing is charged for it.")
    else:
        tax = "tax included" if choice.terms.prices_include_tax else "tax comes on top"
        charged = f"{recurring_price(choice, catalog.currency)} a {choice.interval.value} ({tax})"
        said.append(
            f"{handle} begins {_named(choice)}{until}: {charged} is charged to the card on file, now for the first time."
        )
        if planned.ends_at is not None:
            said.append("Of the period in which it ends only the time until then is charged.")
    return said


def _named(choice: PlanChoice) -> str:
    extras = "".join(f", {each.quantity} {each.code}" for each in choice.add_ons)
    own = " on terms of its own" if choice.terms.workspace_id is not None else ""
    return f"{choice.terms.plan.name}{own} with {count(choice.seats, 'seat')}{extras}"


async def _workspace_id(backend: Backend, handle: str) -> UUID:
    async with backend.runtime.database.read() as session:
        found = await workspace_store.id_by_handle(session, handle.strip().lower())
    if found is None:
        raise CommandError(f"There is no workspace with the handle {handle!r}.")
    return found


def _interval(text: str | None) -> BillingInterval | None:
    try:
        return BillingInterval(text) if text is not None else None
    except ValueError:
        raise CommandError(f"{text!r} is no interval: write month or year.") from None


def _money(text: str | None, catalog: Catalog) -> Money | None:
    return Money.of(plain_amount(text), catalog.currency) if text is not None else None


def _pairs(texts: list[str] | None) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts or []]
    for code, equals, value in pairs:
        if not (code and equals and value):
            raise CommandError(f"{code + equals + value!r} is no code and number: write them as in CODE=3.")
    return [(code, value) for code, _, value in pairs]


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise CommandError(f"{text!r} is no whole number.")
    return int(text)


def _limit(text: str) -> Decimal | None:
    return None if text == "unlimited" else plain_amount(text)
