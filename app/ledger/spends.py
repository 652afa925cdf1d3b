"""Batches of plain spends for the optimistic way: the columns the database takes, and what its answer means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.ledger.chart import Kind
from app.ledger.entries import seal
from app.ledger.movements import Movement, Posted, Spend, Transaction
from app.money import MAX_STEPS
from app.store.ledger import BalanceRow, SpendArguments


class Asked(NamedTuple):
    """A spend and its place in the list it came in."""

    place: int
    spend: Spend


@dataclass(frozen=True, slots=True)
class SpendBatch:
    """Spends by workspace, in the order they came, and the columns that say the same."""

    by_workspace: dict[UUID, list[Asked]]
    arguments: SpendArguments

    def answers(self, rows: Iterable[BalanceRow]) -> Iterable[tuple[int, Posted]]:
        """Each posted spend's place and answer, from the balances that the database answered."""
        at = self.arguments.at
        for row in rows:
            asked = self.by_workspace[row.workspace_id]
            workspace_id = asked[0].spend.workspace_id
            sequence = row.sequence - len(asked)
            balance = row.available + sum(spend.amount for _, spend in asked)
            held, version = row.held, row.version
            for place, spend in asked:
                sequence += 1
                balance -= spend.amount
                yield (
                    place,
                    Posted(
                        Transaction(
                            workspace_id,
                            sequence,
                            Kind.USAGE,
                            -spend.amount,
                            balance,
                            0,
                            held,
                            spend.description,
                            spend.resource,
                            None,
                            None,
                            at,
                        ),
                        version,
                    ),
                )


def plan(movements: Sequence[Movement], at: datetime) -> tuple[SpendBatch | None, list[int]]:
    """The movements of workspaces that only spend, as a batch, and the places of all others.

    A key used twice in the list makes its workspace one of the others.
    """
    by_workspace: dict[UUID, list[Asked]] = {}
    extraordinary: set[UUID] = set()
    seen: set[tuple[UUID, str, str]] = set()
    for place, movement in enumerate(movements):
        workspace_id = movement.workspace_id
        if not isinstance(movement, Spend):
            extraordinary.add(workspace_id)
            continue
        if (key := movement.key) is not None:
            name = (workspace_id, key.scope, key.value)
            if name in seen:
                extraordinary.add(workspace_id)
            seen.add(name)
        by_workspace.setdefault(workspace_id, []).append(Asked(place, movement))
    for workspace_id, asked in by_workspace.items():
        if len(asked) > 1 and sum(spend.amount for _, spend in asked) > MAX_STEPS:
            extraordinary.add(workspace_id)
    for workspace_id in extraordinary:
        by_workspace.pop(workspace_id, None)
    others = [place for place, movement in enumerate(movements) if movement.workspace_id in extraordinary]
    if not by_workspace:
        return None, others
    return SpendBatch(by_workspace, _columns(by_workspace, at)), others


def _columns(by_workspace: dict[UUID, list[Asked]], at: datetime) -> SpendArguments:
    workspaces = sorted(by_workspace, key=lambda workspace_id: workspace_id.int)
    demands: list[int] = []
    firsts: list[int] = []
    lasts: list[int] = []
    running: list[int] = []
    spends: list[Spend] = []
    for workspace_id in workspaces:
        firsts.append(len(spends) + 1)
        total = 0
        for _, spend in by_workspace[workspace_id]:
            total += spend.amount
            running.append(total)
            spends.append(spend)
        demands.append(total)
        lasts.append(len(spends))
    keys = [spend.key for spend in spends]
    return SpendArguments(
        at,
        workspaces,
        demands,
        firsts,
        lasts,
        running,
        [spend.amount for spend in spends],
        [spend.description for spend in spends],
        [spend.resource for spend in spends],
        [
            seal(spend.workspace_id, Kind.USAGE, -spend.amount, spend.description, at, spend.resource, None, None)
            for spend in spends
        ],
        [key and key.scope for key in keys],
        [key and key.value for key in keys],
        [key and key.input_hash for key in keys],
    )
