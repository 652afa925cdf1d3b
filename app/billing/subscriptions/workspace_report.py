"""What operators are told of a workspace: its plan, its subscription at the provider, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.billing.payments.details_sync import tax_in_words
from app.billing.subscriptions import given_plans
from app.billing.subscriptions.given_until import end_of
from app.billing.subscriptions.kept_terms import find_terms_in
from app.billing.subscriptions.workspace_plan import fallback_terms, known_terms
from app.catalog import Catalog, PlanTerms
from app.db.engine import Session
from app.db.reads import all_in
from app.db.tables.plan_moves import PlanMoveRow, PlanRefundRow
from app.db.tables.subscriptions import SubscriptionChangeRow, SubscriptionRow
from app.ledger import ledger_reads
from app.money import CreditUnit, Money
from app.store import billing_accounts as billing_account_store
from app.store import memberships as membership_store
from app.store import plan_moves as plan_move_store
from app.store import subscriptions as subscription_store


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceReport:
    """What a workspace is on, at one moment. `row` is None where it never subscribed; `change` and `move` are under way."""

    terms: PlanTerms
    row: SubscriptionRow | None
    members: int
    change: SubscriptionChangeRow | None
    move: PlanMoveRow | None
    failed_refunds: Sequence[PlanRefundRow]
    customer_id: str | None
    tax: str
    available: int
    unit: CreditUnit

    def lines(self) -> list[tuple[str, str]]:
        """The report, as names and texts."""
        row, terms = self.row, self.terms
        is_on = row is not None and row.terms_id == terms.id
        own = " (its own)" if terms.workspace_id is not None else ""
        lines = [
            ("plan", f"{terms.plan.name} ({terms.plan.code})"),
            ("terms", f"{terms.id}{own}"),
            ("subscription", (row.provider_id if row is not None else None) or ("given" if is_on else "none")),
            ("status", row.status if row is not None else "never subscribed"),
            ("interval", (row.interval if row is not None else None) or "none"),
            (
                "seats",
                f"{row.seats if is_on and row is not None else terms.plan.seats.included}, members {self.members}",
            ),
            ("add-ons", _add_ons(row) if row is not None else "none"),
            ("period ends", _time(row.period_end if row is not None else None)),
            ("plan ends", _time(end_of(row) or row.ends_at if row is not None else None)),
            ("grace ends", _time(row.grace_ends_at if row is not None else None)),
            ("pending", _pending(row.pending) if row is not None and row.pending is not None else "nothing"),
            ("under way", self._under_way()),
            ("next check", _time(row.next_check_at if row is not None else None)),
            ("credits", self.unit.text(self.available)),
            ("customer", self.customer_id or "none"),
            ("tax", self.tax),
        ]
        lines += [("failed refund", _failed(each)) for each in self.failed_refunds]
        return lines

    def _under_way(self) -> str:
        said = [f"{self.change.mutation}, {self.change.state}"] if self.change is not None else []
        said += [f"a move to another plan, {self.move.state}"] if self.move is not None else []
        return "; ".join(said) or "nothing"


async def workspace_report(session: Session, catalog: Catalog, workspace_id: UUID) -> WorkspaceReport:
    """What operators are told of a workspace."""
    row = await subscription_store.find(session, workspace_id)
    terms = fallback_terms(catalog)
    if row is not None and row.terms_id is not None and given_plans.is_in_force(row, session.now):
        terms = known_terms(catalog, row.terms_id, await find_terms_in(session, catalog, row.terms_id))
    counted = await all_in(session, membership_store.COUNTS, [workspace_id])
    account = await billing_account_store.find(session, workspace_id)
    return WorkspaceReport(
        terms=terms,
        row=row,
        members=counted[0].members if counted else 0,
        change=await subscription_store.change_in_flight(session, workspace_id),
        move=await plan_move_store.under_way(session, workspace_id),
        failed_refunds=await plan_move_store.failed_refunds(session, workspace_id),
        customer_id=account.customer_id if account is not None else None,
        tax=await tax_in_words(session, catalog.tax, workspace_id),
        available=(await ledger_reads.balance_in(session, workspace_id)).available,
        unit=catalog.credit_unit,
    )


def _add_ons(row: SubscriptionRow) -> str:
    return ", ".join(f"{quantity} {code}" for code, quantity in sorted(row.add_ons.items())) or "none"


def _pending(pending: dict[str, Any]) -> str:
    return f"{pending['kind']}, {pending['effective_at'] or pending['expires_at'] or ''}"


def _failed(refund: PlanRefundRow) -> str:
    return f"{Money(refund.amount_minor, refund.currency)} of {refund.payment_id}: {refund.failure}"


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment is not None else "never"
