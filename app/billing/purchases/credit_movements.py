"""Posting to the ledger for billing: granting and clawing back a purchase's credits, and what falls due by time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM, Actor
from app.db.engine import Database, Session
from app.db.tables.purchases import CreditPurchaseRow
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import DomainError, InvalidInput
from app.idempotency import KEYS_KEPT
from app.ledger import ledger_reads
from app.ledger import post_movements as ledger_post
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Clawback, Grant, Posted, Reinstate
from app.ledger.post_movements import post_due, post_one
from app.money import MAX_STEPS, CreditUnit
from app.store import invoices as invoice_store
from app.store import ledger_posting as ledger_posting_store
from app.store import purchases as purchase_store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class BalanceFull(InvalidInput):
    """The balance would be larger than can be counted. Nothing was charged."""


class UnknownResource(DomainError):
    """The catalog has no such resource."""

    code = ErrorCode.UNKNOWN_RESOURCE


async def require_room(session: Session, workspace_id: UUID, steps: int, *, except_for: UUID | None = None) -> None:
    """Raise `BalanceFull` unless the ledger can take `steps` more, beside those of purchases that may yet be paid.

    The billing account is locked. `except_for` is a purchase that is not to be counted: the one that asks.
    """
    balance = await ledger_reads.balance_in(session, workspace_id)
    waiting = [row for row in await purchase_store.unfinished(session, workspace_id) if row.id != except_for]
    coming = sum(row.credits for row in waiting if row.pay_sent_at is not None)
    if max(balance.available, 0) + balance.held + coming + steps > MAX_STEPS:
        raise BalanceFull


async def grant_purchase(session: Session, purchase: CreditPurchaseRow) -> Posted:
    """Grant the credits of a paid purchase. Safe to call again: the ledger grants a purchase once."""
    source = Source.AUTO_RECHARGE if purchase.is_auto_recharge else Source.PURCHASE
    return await post_one(
        session,
        Grant(
            workspace_id=purchase.workspace_id,
            amount=purchase.credits,
            source=source,
            description="Auto-recharge" if purchase.is_auto_recharge else "Recharge",
            purchase_id=purchase.id,
        ),
    )


async def record_grant(session: Session, unit: CreditUnit, actor: Actor, posted: Posted, source: Source) -> None:
    """Write to the audit log that somebody granted credits. Spends are too many for it: the ledger's history has them."""
    grant = posted.transaction
    after = {"sequence": grant.sequence, "source": source, "amount": f"{unit.from_steps(grant.amount):f} {unit.name}"}
    await audit_log.record(session, grant.workspace_id, actor, "credits.granted", "Credits were given.", after=after)


async def reclaim(session: Session, purchase: CreditPurchaseRow, target: int, *, description: str) -> None:
    """Claw back or reinstate credits of a locked, paid purchase until `target` steps of them are clawed back in all.

    A claw-back may make the balance negative, which is a debt. The money has moved already, so what the ledger refuses (the balance
    would be larger than can be counted) is logged, and written to the audit log for an operator; the next change tries it again.
    """
    missing = target - purchase.reclaimed_credits
    if missing == 0:
        return
    movement = Clawback if missing > 0 else Reinstate
    try:
        await post_one(
            session,
            movement(
                workspace_id=purchase.workspace_id,
                purchase_id=purchase.id,
                amount=abs(missing),
                description=description,
            ),
        )
    except InvalidInput as refusal:
        _log.warning("credits.not_moved", purchase=str(purchase.id), steps=-missing, reason=refusal.message)
        after = {"purchase": str(purchase.id), "steps": -missing}
        summary = "Credits could not be taken back or given again after money was returned."
        await audit_log.record(session, purchase.workspace_id, SYSTEM, "credits.not_moved", summary, after=after)
        return
    purchase.reclaimed_credits = target


async def next_due_at(session: Session) -> datetime | None:
    """When the next grant expires or the next hold lapses."""
    return await ledger_posting_store.next_due_at(session)


async def run_due(database: Database, *, limit: int) -> int:
    """Expire grants and let holds lapse whose time has come, in at most `limit` workspaces; returns in how many."""
    posted = await transact(database, lambda session: post_due(session, limit), step="credits.due")
    return posted.workspaces


async def forget_keys(session: Session) -> None:
    """Forget idempotency keys older than `KEYS_KEPT`: at most a thousand of the ledger's, and all of purchases and payments."""
    before = session.now - KEYS_KEPT
    await ledger_post.forget_keys(session)
    await purchase_store.forget_keys(session, before)
    await invoice_store.forget_payments(session, before)
