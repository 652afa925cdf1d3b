"""Purchases that were paid, and what is done with their money at Stripe: by operators in the dashboard, and by cardholders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import stripe
from sqlalchemy import select

from app.billing.purchases.refunds_and_disputes import apply_returned_money
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.access import AuditEventRow
from app.db.tables.payments import InvoiceRow
from app.db.tables.purchases import CreditPurchaseRow, RefundRow
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.purchases.refunds import refund_purchase
from app.ids import GlobalId, parse_global_id
from app.ledger import ledger_reads
from app.ledger.movements import Movement
from app.ledger.post_movements import post_one
from app.ledger.verify import verify
from app.main import SANDBOX_SECRET_KEY
from app.payments.gateway_values import ReturnedMoney
from app.payments.stripe_gateway import stripe_gateway
from app.store import purchases as purchase_store
from app.store import refunds as refund_store
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.sandbox import sdk


@dataclass(frozen=True, slots=True)
class Bought:
    """A purchase that succeeded; `payment_id` and `invoice_id` are Stripe's, `credits` in steps, `total_minor` in cents."""

    backend: RunningBackend
    person: Person
    id: UUID
    payment_id: str
    invoice_id: str
    credits: int
    total_minor: int

    @property
    def flow_context(self) -> FlowContext:
        """What the flows work with."""
        return self.backend.parts.flow_context

    @property
    def global_id(self) -> str:
        """The id that the API gives."""
        return str(GlobalId("CreditPurchase", self.id, self.person.workspace_id))

    @property
    def stripe(self) -> stripe.StripeClient:
        """Stripe, as somebody with the dashboard has it."""
        return sdk(self.backend.sandbox.url, "sk_test_sandbox")

    async def refund_at_stripe(self, amount_minor: int | None = None) -> stripe.Refund:
        """Refund a part, or all that is left, as the dashboard does."""
        params: Any = {"payment_intent": self.payment_id}
        if amount_minor is not None:
            params["amount"] = amount_minor
        return await self.stripe.v1.refunds.create_async(params)

    async def refunds_at_stripe(self) -> list[dict[str, Any]]:
        """The refunds that Stripe has of this purchase."""
        return await self.backend.sandbox.listed("/v1/refunds", payment_intent=self.payment_id)

    async def dispute(self, amount_minor: int | None = None) -> str:
        """Have the cardholder dispute a part, or all that was not refunded; the id of the dispute."""
        order: dict[str, object] = {"payment_intent": self.payment_id}
        if amount_minor is not None:
            order["amount"] = amount_minor
        async with httpx.AsyncClient(base_url=self.backend.sandbox.url) as http:
            return (await http.post("/_sandbox/disputes", json=order)).raise_for_status().json()["id"]

    async def decide(self, dispute_id: str, status: str) -> None:
        """Have the bank decide a dispute: `won` or `lost`, as the seller sees it."""
        async with httpx.AsyncClient(base_url=self.backend.sandbox.url) as http:
            (await http.post(f"/_sandbox/disputes/{dispute_id}", json={"status": status})).raise_for_status()

    async def row(self) -> CreditPurchaseRow:
        """The purchase as it stands."""
        async with self.backend.database.read() as session:
            found = await purchase_store.find(session, self.person.workspace_id, self.id)
        assert found is not None
        return found

    async def invoice(self) -> InvoiceRow:
        """The mirrored invoice as it stands."""
        async with self.backend.database.read() as session:
            return (await session.scalars(select(InvoiceRow).where(InvoiceRow.provider_id == self.invoice_id))).one()

    async def refund_rows(self) -> list[RefundRow]:
        """The refunds that were asked for here, the oldest first."""
        query = select(RefundRow).where(RefundRow.purchase_id == self.id).order_by(RefundRow.id)
        async with self.backend.database.read() as session:
            return list(await session.scalars(query))

    async def reclaimed(self, steps: int) -> CreditPurchaseRow:
        """The purchase, once `steps` of its credits have been taken back."""

        async def look() -> CreditPurchaseRow | None:
            row = await self.row()
            return row if row.reclaimed_credits == steps else None

        found = await eventually(look)
        assert found is not None
        return found

    async def available(self) -> int:
        """What the workspace has to spend, in steps; below zero a debt."""
        return (await self.balance()).available

    async def balance(self) -> ledger_reads.Balance:
        """The workspace's balance."""
        return await ledger_reads.balance(Reads(self.backend.database), self.person.workspace_id)

    async def kinds(self) -> list[str]:
        """The kinds of the workspace's transactions, the oldest first."""
        return [node["kind"] for node in (await self.backend.history(self.person))["nodes"]][::-1]

    async def post(self, movement: Movement) -> None:
        """Post a movement of the workspace's credits."""
        await transact(self.backend.database, lambda session: post_one(session, movement))

    async def audited(self) -> list[str]:
        """What the workspace's audit log says happened to purchases, the oldest first."""
        query = select(AuditEventRow.action).where(
            AuditEventRow.workspace_id == self.person.workspace_id, AuditEventRow.action.startswith("purchase.")
        )
        async with self.backend.database.read() as session:
            return list(await session.scalars(query.order_by(AuditEventRow.id)))


async def buy(backend: RunningBackend, card: str = "pm_card_visa", *, person: Person | None = None) -> Bought:
    """Someone (new) who buys what the catalog sells first, with a test card."""
    if person is None:
        person = await backend.sign_up()
        await backend.add_card(person, card)
    payload = await backend.recharge(person)
    assert payload["userErrors"] == []
    return await bought_by(person, backend, payload["purchase"]["id"])


async def bought_by(person: Person, backend: RunningBackend, purchase_id: str) -> Bought:
    """The purchase with this id of the API's, whose invoice was paid."""
    found = parse_global_id(purchase_id).id
    assert isinstance(found, UUID)
    async with backend.database.read() as session:
        row = await purchase_store.find(session, person.workspace_id, found)
    assert row is not None
    assert row.invoice_id is not None
    assert row.total_minor is not None
    invoice = await backend.parts.flow_context.gateway.invoice(row.invoice_id)
    assert invoice is not None
    assert invoice.attempt.id is not None
    return Bought(backend, person, row.id, invoice.attempt.id, invoice.id, row.credits, row.total_minor)


async def apply(bought: Bought, returned: ReturnedMoney) -> None:
    """Let a look at Stripe have seen `returned`."""

    async def work(session: Session) -> None:
        watched = await refund_store.invoice_to_check(session, bought.invoice_id)
        assert watched is not None
        await apply_returned_money(session, watched, bought.invoice_id, returned)

    await transact(bought.backend.database, work)


async def check_ledger(backend: RunningBackend) -> None:
    """Fail unless every balance is the sum of its entries."""
    async with backend.database.read() as session:
        report = await verify(session)
    assert report.is_sound, str(report.fault)


class Crash(BaseException):
    """The process ended here."""


async def refund(bought: Bought, amount: str | None = None, *, flow_context: FlowContext | None = None) -> RefundRow:
    """Refund as an operator does."""
    return await refund_purchase(
        flow_context or bought.flow_context,
        bought.person.workspace_id,
        bought.id,
        amount=Decimal(amount) if amount is not None else None,
        reason="A goodwill gesture",
    )


def crashing(backend: RunningBackend, point: str, *, passing: int) -> FlowContext:
    """A desk of a process that ends at `point`, the `passing`th time it gets there."""
    left = passing

    def fault(passed: str) -> None:
        nonlocal left
        left -= passed == point
        if left == 0 and passed == point:
            raise Crash

    database = backend.database
    gateway = stripe_gateway(SANDBOX_SECRET_KEY, base_url=backend.sandbox.url, fault=fault)
    doomed = Database(database.engine, database.clock, database.hints, fault)
    return replace(backend.parts.flow_context, database=doomed, gateway=gateway)
