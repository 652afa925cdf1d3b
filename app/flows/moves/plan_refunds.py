"""Sending refunds of time that was paid for and not used: each once, with a key of its own, and looked up where that has lapsed."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from app.billing.moves import plan_refunds
from app.db.tables.plan_moves import PlanRefundRow
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.purchases.refunds import sync_returned_money
from app.payments.gateway_errors import GatewayRefused
from app.payments.gateway_values import ProviderRefund
from app.store import plan_moves as plan_move_store

_NOT_SENT: Final = "It could not be sent in time."


async def send_refunds(context: FlowContext, workspace_id: UUID, move_id: UUID) -> None:
    """Send what is not sent yet of a move's refunds. One that is refused has failed. Raises `GatewayUnavailable`."""
    async with context.database.read() as session:
        rows = await plan_move_store.refunds(session, workspace_id, move_id)
    for row in rows:
        if plan_refunds.is_unsent(row):
            await _send(context, row)


async def _send(context: FlowContext, row: PlanRefundRow) -> None:
    found = await _made(context, row)
    if found is None and context.database.clock.now() >= row.created_at + plan_refunds.SEND_WITHIN:
        # its key may be forgotten by now: an operator decides
        await _fail(context, row, _NOT_SENT)
        return
    if found is None:
        try:
            found = await context.gateway.refund(
                row.payment_id,
                amount_minor=row.amount_minor,
                metadata={"refund_id": str(row.id), "workspace_id": str(row.workspace_id)},
                key=f"refund:{row.id}",
            )
        except GatewayRefused as refused:
            await _fail(context, row, str(refused))
            return
    sent = found
    await transact(
        context.database,
        lambda session: plan_refunds.note_sent(session, row.workspace_id, row.id, sent),
        step="plan_refund.sent",
    )
    # so that the invoice shows it at once
    await sync_returned_money(context, row.invoice_id)


async def _made(context: FlowContext, row: PlanRefundRow) -> ProviderRefund | None:
    """The refund as the provider has it, where it was sent before; None where it never arrived there."""
    made = await context.gateway.refunds_of_payment(row.payment_id)
    return next((each for each in made if each.refund_id == str(row.id)), None)


async def _fail(context: FlowContext, row: PlanRefundRow, failure: str) -> None:
    await transact(
        context.database,
        lambda session: plan_refunds.fail(session, row.workspace_id, row.id, failure),
        step="plan_refund.fail",
    )
