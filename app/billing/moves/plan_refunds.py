"""The states of refunds of time that was paid for and not used. One that fails is told to the operator, who may repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM
from app.accounts.security.secrets import Keys
from app.billing.moves.unused_time import PartToRefund
from app.db.engine import Session
from app.db.tables.plan_moves import PlanMoveRow, PlanRefundRow
from app.db.tables.purchases import RefundState
from app.ids import uuid7
from app.messages import message_texts
from app.messages.mail import queue_mail
from app.money import Money
from app.payments.gateway_values import ProviderRefund
from app.store import billing_accounts as billing_account_store
from app.store import plan_moves as plan_move_store
from app.store import workspaces as workspace_store

# The provider may forget an idempotency key after 24 hours: from then on the same refund could be made twice.
SEND_WITHIN: Final = timedelta(hours=23)
MAIL_FAILED_REFUND: Final = "mail_failed_refund"
"""The task that mails the operator that a refund failed."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def add(session: Session, move: PlanMoveRow, part: PartToRefund, currency: str) -> None:
    """Write down a refund before it is sent."""
    row = PlanRefundRow(
        workspace_id=move.workspace_id,
        id=uuid7(),
        move_id=move.id,
        invoice_id=part.invoice_id,
        payment_id=part.payment_id,
        amount_minor=part.amount_minor,
        currency=currency,
        status=RefundState.REQUESTED.value,
        created_at=session.now,
    )
    session.add(row)


def is_unsent(row: PlanRefundRow) -> bool:
    """Whether a refund is not known to have reached the provider, and may still be sent."""
    return row.status == RefundState.REQUESTED


def returned(rows: Sequence[PlanRefundRow]) -> Money | None:
    """What goes back by these refunds, as far as they have not failed; None for nothing."""
    going = [row for row in rows if row.status != RefundState.FAILED]
    return Money(sum(row.amount_minor for row in going), going[0].currency) if going else None


async def note(session: Session, workspace_id: UUID, refund_id: UUID, found: ProviderRefund) -> None:
    """Bring a refund in line with what the provider has: it may fail long after it succeeded."""
    await billing_account_store.lock(session, workspace_id)
    row = await plan_move_store.refund(session, workspace_id, refund_id)
    if row is None:
        return
    was_failed = row.status == RefundState.FAILED
    row.status, row.provider_id = RefundState(found.status).value, found.id
    row.failure = found.failure
    if row.status == RefundState.FAILED and not was_failed:
        await _tell_failed(session, row)


async def note_sent(session: Session, workspace_id: UUID, refund_id: UUID, found: ProviderRefund) -> None:
    """Note that a refund has reached the provider, as it answered; what was seen of it since is newer, and stands."""
    await billing_account_store.lock(session, workspace_id)
    row = await plan_move_store.refund(session, workspace_id, refund_id)
    if row is not None and is_unsent(row):
        await note(session, workspace_id, refund_id, found)


async def fail(session: Session, workspace_id: UUID, refund_id: UUID, failure: str) -> None:
    """Note that a refund was not made and will not be: the provider refused it, or it could not be sent in time."""
    await billing_account_store.lock(session, workspace_id)
    row = await plan_move_store.refund(session, workspace_id, refund_id)
    if row is not None and row.status == RefundState.REQUESTED:
        row.status, row.failure = RefundState.FAILED.value, failure
        await _tell_failed(session, row)


async def note_returned(session: Session, workspace_id: UUID, found: Sequence[ProviderRefund]) -> None:
    """Bring the refunds of an invoice of a plan in line with what the provider has by now; the billing account is locked."""
    for each in found:
        if each.refund_id is not None and (refund_id := _uuid(each.refund_id)) is not None:
            await note(session, workspace_id, refund_id, each)


async def _tell_failed(session: Session, row: PlanRefundRow) -> None:
    amount = Money(row.amount_minor, row.currency)
    session.outbox.enqueue(
        MAIL_FAILED_REFUND, {"workspace_id": str(row.workspace_id), "refund_id": str(row.id), "amount": str(amount)}
    )
    _log.error("plan_refund.failed", workspace=str(row.workspace_id), refund=str(row.id), reason=row.failure)
    await audit_log.record(
        session,
        row.workspace_id,
        SYSTEM,
        "subscription.refund_failed",
        "A refund of unused time failed.",
        after={"amount": str(amount), "refund": str(row.id)},
    )


async def mail_failed(session: Session, keys: Keys, arguments: Mapping[str, str], operator: str | None) -> None:
    """The job `MAIL_FAILED_REFUND`: mail the operator, if they have given an address, that a refund failed, and why."""
    workspace = await workspace_store.get(session, UUID(arguments["workspace_id"]))
    row = await plan_move_store.refund(session, UUID(arguments["workspace_id"]), UUID(arguments["refund_id"]))
    if operator is None or workspace is None or row is None:
        return
    mail = message_texts.refund_failed(operator, workspace.handle, arguments["amount"], row.failure)
    queue_mail(session, mail, keys.mail)


def _uuid(text: str) -> UUID | None:
    """The id of ours that a refund's metadata names; None for what somebody wrote by hand."""
    try:
        return UUID(text)
    except ValueError:
        return None
