"""Plans that an operator sets, and legacy plans that owners leave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import select

from app.billing.moves.set_plans import PlanOrder
from app.catalog import BillingInterval
from app.db.tables.access import AuditEventRow
from app.db.tables.plan_moves import PlanMoveRow, PlanRefundRow
from app.flows.flow_context import FlowContext
from app.flows.moves.set_plan import plan_to_set, set_plan
from app.flows.provider.customers import ensure_customer
from app.money import Money
from tests.support.operations import ERRORS
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import stripe_subscriptions

OPERATOR_ADDRESS = "operator@example.com"
"""Who is told of refunds that failed."""

PLAN_TRANSITION = """query ($id: ID!) { workspace(id: $id) { planTransition {
  from { code } to { code } message refund { amount currency } } } }"""
TRANSITION_PLAN = f"""mutation ($input: TransitionPlanInput!) {{
  transitionPlan(input: $input) {{ subscription {{ plan {{ code }} status pendingChange {{ kind }} }} {ERRORS} }} }}"""


async def set_by_operator(
    backend: RunningBackend,
    person: Person,
    plan: str,
    *,
    context: FlowContext | None = None,
    interval: BillingInterval | None = None,
    seats: int | None = None,
    add_ons: Mapping[str, int] | None = None,
    base: str | None = None,
    per_seat: str | None = None,
    limits: Mapping[str, Decimal | None] | None = None,
    spend_limit: str | None = None,
    ends_at: datetime | None = None,
) -> PlanMoveRow:
    """Put a person's workspace on a plan as an operator; the move at its end."""
    currency = backend.parts.runtime.catalog.currency

    def money(amount: str | None) -> Money | None:
        return Money.of(Decimal(amount), currency) if amount is not None else None

    order = PlanOrder(
        plan_code=plan,
        interval=interval,
        seats=seats,
        add_ons=add_ons or {},
        base=money(base),
        per_seat=money(per_seat),
        limits=limits or {},
        spend_limit=money(spend_limit),
    )
    used = context or backend.parts.flow_context
    return await set_plan(used, await plan_to_set(used, person.workspace_id, order, ends_at=ends_at))


async def on_legacy(
    backend: RunningBackend, plan: str = "essential", *, card: str = "pm_card_visa", **order: Any
) -> Person:
    """Someone with a card whom an operator has put on a legacy plan."""
    person = await backend.sign_up()
    await backend.add_card(person, card)
    move = await set_by_operator(backend, person, plan, **order)
    assert move.failure is None
    return person


async def told(backend: RunningBackend, person: Person) -> dict[str, Any] | None:
    """What the workspace is told that it can move to."""
    data = await backend.api.query(PLAN_TRANSITION, {"id": person.workspace}, token=person.token)
    return data["workspace"]["planTransition"]


async def refund_told(backend: RunningBackend, person: Person) -> str | None:
    """How much it is told that goes back, None for nothing."""
    found = await told(backend, person)
    assert found is not None
    return found["refund"]["amount"] if found["refund"] is not None else None


async def leave(backend: RunningBackend, person: Person, *, key: str | None = None) -> dict[str, Any]:
    """The payload of `transitionPlan`."""
    given = {"workspaceId": person.workspace, "idempotencyKey": key or uuid4().hex}
    return (await backend.api.query(TRANSITION_PLAN, {"input": given}, token=person.token))["transitionPlan"]


async def refunded(backend: RunningBackend, person: Person) -> list[int]:
    """What Stripe has refunded to the person's cards, the oldest first, in the currency's smallest unit."""
    found: list[dict[str, Any]] = []
    for charge in await backend.charges(person):
        found += await backend.sandbox.listed("/v1/refunds", payment_intent=charge["payment_intent"])
    return [each["amount"] for each in sorted(found, key=lambda each: (each["created"], each["amount"]))]


async def live_at_stripe(backend: RunningBackend, person: Person) -> list[dict[str, Any]]:
    """The person's subscriptions at Stripe that have not ended."""
    ended = ("canceled", "incomplete_expired")
    return [each for each in await stripe_subscriptions(backend, person) if each["status"] not in ended]


async def moves(backend: RunningBackend, person: Person) -> list[PlanMoveRow]:
    """The moves of the person's workspace, the oldest first."""
    query = select(PlanMoveRow).where(PlanMoveRow.workspace_id == person.workspace_id).order_by(PlanMoveRow.id)
    async with backend.database.read() as session:
        return list(await session.scalars(query))


async def audited(backend: RunningBackend, person: Person) -> list[tuple[str, str | None]]:
    """What the audit log says of the subscription, the oldest first, and who did it where that is no user."""
    query = select(AuditEventRow.action, AuditEventRow.actor_label).where(
        AuditEventRow.workspace_id == person.workspace_id, AuditEventRow.action.startswith("subscription.")
    )
    async with backend.database.read() as session:
        return [(action, label) for action, label in await session.execute(query.order_by(AuditEventRow.id))]


async def give_credit(backend: RunningBackend, person: Person, minor: int) -> None:
    """Let the seller give the person's customer credit in Stripe's dashboard."""
    customer = await ensure_customer(backend.parts.flow_context, person.workspace_id)
    await backend.sandbox.post(f"/v1/customers/{customer}", balance=str(-minor))


async def dispute(backend: RunningBackend, charge: dict[str, Any]) -> None:
    """Let the cardholder dispute all that is left of a charge."""
    async with httpx.AsyncClient(base_url=backend.sandbox.url) as http:
        order = {"payment_intent": charge["payment_intent"]}
        (await http.post("/_sandbox/disputes", json=order)).raise_for_status()


async def plan_refunds(backend: RunningBackend, person: Person) -> list[PlanRefundRow]:
    """The refunds of the person's moves, the oldest first."""
    query = select(PlanRefundRow).where(PlanRefundRow.workspace_id == person.workspace_id).order_by(PlanRefundRow.id)
    async with backend.database.read() as session:
        return list(await session.scalars(query))
