"""Verifies the whole ledger: that every balance is the sum of its entries, and every row what the rules make of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db.engine import Session
from app.ledger.history_check import Disagreement, HistoryCheck
from app.store import ledger_verification as ledger_verification_store
from app.store.ledger_verification import Range


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that disagrees: whose, which, and why."""

    workspace_id: UUID
    row: str
    reason: str

    def __str__(self) -> str:
        return f"workspace {self.workspace_id}, {self.row}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Report:
    """How many workspaces and transactions were checked, and the first fault, if there is one."""

    workspaces: int
    transactions: int
    fault: Fault | None

    @property
    def is_sound(self) -> bool:
        """Whether no fault was found."""
        return self.fault is None


async def verify(session: Session, *, workspaces_at_a_time: int = 200) -> Report:
    """Recompute the whole ledger from its entries, in one snapshot of the database, and compare every row with the result.

    Checks that sequences have no gaps and entries sum to zero, and checks amounts, balances after, which grants each movement took
    from, what remains of grants, holds, the balances, and the digest of everything that can't be recomputed. Stops at the first
    fault. The session must be new. It locks nothing and reads `workspaces_at_a_time` workspaces at a time.
    """
    await ledger_verification_store.take_snapshot(session)
    workspaces = transactions = 0
    async for within in ledger_verification_store.ranges(session, workspaces_at_a_time):
        balances = {row["workspace_id"]: row for row in await ledger_verification_store.balances(session, within)}
        fault = await _stray_row(session, within)
        if fault is None:
            counted, fault = await _check_range(session, within, balances)
            transactions += counted
        if fault is not None:
            return Report(workspaces, transactions, fault)
        workspaces += len(balances)
    return Report(workspaces, transactions, None)


async def _stray_row(session: Session, within: Range) -> Fault | None:
    """The first entry or hold of the range that belongs to no transaction."""
    for row in await ledger_verification_store.stray_entries(session, within):
        return Fault(
            row["workspace_id"], f"entry {row['line']} of transaction {row['sequence']}", "no such transaction"
        )
    for row in await ledger_verification_store.stray_holds(session, within):
        return Fault(row["workspace_id"], f"hold {row['id']}", "no transaction opened it")
    return None


async def _check_range(
    session: Session, within: Range, balances: Mapping[UUID, Mapping[Any, Any]]
) -> tuple[int, Fault | None]:
    """Check the workspaces of a range; returns how many transactions were checked, and the first fault."""
    checks = {workspace_id: HistoryCheck(workspace_id, {}) for workspace_id in balances}
    for row in await ledger_verification_store.grants(session, within):
        workspace_id = row["workspace_id"]
        opened = checks.setdefault(workspace_id, HistoryCheck(workspace_id, {})).grants
        if row["opened_sequence"] in opened:
            return 0, Fault(workspace_id, f"grant {row['id']}", "its transaction opened another grant")
        opened[row["opened_sequence"]] = row
    counted = 0
    async for rows in ledger_verification_store.transactions(session, within):
        workspace_id = rows[0]["workspace_id"]
        fault = _check_next(checks.setdefault(workspace_id, HistoryCheck(workspace_id, {})), rows)
        if fault is not None:
            return counted, fault
        counted += 1
    for workspace_id in sorted(checks):
        try:
            checks[workspace_id].check_end(balances.get(workspace_id))
        except Disagreement as disagreement:
            return counted, Fault(workspace_id, disagreement.row, disagreement.reason)
    return counted, None


def _check_next(check: HistoryCheck, rows: Sequence[Mapping[Any, Any]]) -> Fault | None:
    try:
        check.check_next(rows)
    except Disagreement as disagreement:
        return Fault(check.workspace_id, disagreement.row, disagreement.reason)
    return None
