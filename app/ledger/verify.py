"""Proof that every balance is the sum of its entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db.engine import Session
from app.ledger.replay import Disagreement, Replay
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
    """What was proved: so many transactions of so many workspaces, all sound unless there is a `fault`."""

    workspaces: int
    transactions: int
    fault: Fault | None

    @property
    def is_sound(self) -> bool:
        """Whether every row agrees with all others."""
        return self.fault is None


async def verify(session: Session, *, workspaces_at_a_time: int = 200) -> Report:
    """Recompute the whole ledger, as it is at one moment, from its entries, and compare every row with what the rules make of them.

    Checked are: sequences without gaps, entries that sum to zero, amounts and balances after, which grants each movement took from,
    what remains of grants, holds, seals over everything that can't be recomputed, and the balances. Stops at the first row that
    disagrees. The session must be new: it reads one snapshot, without locking anything, a range of workspaces at a time.
    """
    await ledger_verification_store.take_snapshot(session)
    workspaces = transactions = 0
    async for within in ledger_verification_store.ranges(session, workspaces_at_a_time):
        balances = {row["workspace_id"]: row for row in await ledger_verification_store.balances(session, within)}
        fault = await _stray(session, within)
        if fault is None:
            counted, fault = await _audit(session, within, balances)
            transactions += counted
        if fault is not None:
            return Report(workspaces, transactions, fault)
        workspaces += len(balances)
    return Report(workspaces, transactions, None)


async def _stray(session: Session, within: Range) -> Fault | None:
    for row in await ledger_verification_store.stray_entries(session, within):
        return Fault(
            row["workspace_id"], f"entry {row['line']} of transaction {row['sequence']}", "no such transaction"
        )
    for row in await ledger_verification_store.stray_holds(session, within):
        return Fault(row["workspace_id"], f"hold {row['id']}", "no transaction opened it")
    return None


async def _audit(
    session: Session, within: Range, balances: Mapping[UUID, Mapping[Any, Any]]
) -> tuple[int, Fault | None]:
    """Replay the workspaces of a range; how many transactions that were, and the first fault."""
    audits = {workspace_id: Replay(workspace_id, {}) for workspace_id in balances}
    for row in await ledger_verification_store.grants(session, within):
        workspace_id = row["workspace_id"]
        opened = audits.setdefault(workspace_id, Replay(workspace_id, {})).grants
        if row["opened_sequence"] in opened:
            return 0, Fault(workspace_id, f"grant {row['id']}", "its transaction opened another grant")
        opened[row["opened_sequence"]] = row
    counted = 0
    async for rows in ledger_verification_store.transactions(session, within):
        workspace_id = rows[0]["workspace_id"]
        fault = _try(audits.setdefault(workspace_id, Replay(workspace_id, {})), rows)
        if fault is not None:
            return counted, fault
        counted += 1
    for workspace_id in sorted(audits):
        try:
            audits[workspace_id].close(balances.get(workspace_id))
        except Disagreement as disagreement:
            return counted, Fault(workspace_id, disagreement.row, disagreement.reason)
    return counted, None


def _try(audit: Replay, rows: Sequence[Mapping[Any, Any]]) -> Fault | None:
    try:
        audit.follow(rows)
    except Disagreement as disagreement:
        return Fault(audit.workspace_id, disagreement.row, disagreement.reason)
    return None
