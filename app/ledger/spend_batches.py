"""Batches of plain spends, which one statement posts (the optimistic way): its arguments, and what its rows mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar, cast

from app.ledger.chart_of_accounts import Kind
from app.ledger.entries import transaction_digest
from app.ledger.movements import Movement, Posted, Spend, Transaction
from app.money import MAX_STEPS
from app.store.ledger_posting import BalanceRow, SpendArguments


class HasMovement(Protocol):
    """What carries a movement through a batch, with whatever the caller needs to hand its result back."""

    @property
    def movement(self) -> Movement:
        """The movement to post."""
        ...


M = TypeVar("M", bound=HasMovement)


class SplitMovements(NamedTuple, Generic[M]):
    """Movements by workspace, in the order they came: those of workspaces that only spend, as a batch, and those of all others."""

    spends: SpendBatch[M] | None
    others: list[Sequence[M]]


@dataclass(frozen=True, slots=True)
class SpendBatch(Generic[M]):
    """Spends grouped by workspace, and the same as arguments of the statement, in the same order."""

    groups: list[Sequence[M]]
    arguments: SpendArguments

    def results(self, rows: Iterable[BalanceRow]) -> Iterator[tuple[M, Posted]]:
        """Each spend that was posted and its result, from the balances that the statement returned."""
        at = self.arguments.at
        for number, available, held, last, version in rows:
            group = self.groups[number - 1]
            workspace_id = self.arguments.workspaces[number - 1]
            sequence = last - len(group)
            balance = available + self.arguments.demands[number - 1]
            for carrier in group:
                spend = cast(Spend, carrier.movement)
                sequence += 1
                balance -= spend.amount
                transaction = Transaction(
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
                    spend.subject_id,
                )
                yield carrier, Posted(transaction, version)

    def unposted(self, rows: Sequence[BalanceRow]) -> list[Sequence[M]]:
        """The groups for which the statement returned no balance: it posted nothing of theirs."""
        if len(rows) == len(self.groups):
            return []
        posted = {row.number for row in rows}
        return [group for number, group in enumerate(self.groups, 1) if number not in posted]


def split_spends(by_workspace: Iterable[Sequence[M]], at: datetime) -> SplitMovements[M]:
    """Separate the workspaces that only spend, at the time `at`, from all others; `by_workspace` has each workspace once.

    A workspace with the same idempotency key twice counts among the others.
    """
    groups: list[Sequence[M]] = []
    others: list[Sequence[M]] = []
    for group in by_workspace:
        (groups if _is_plain(group) else others).append(group)
    if not groups:
        return SplitMovements(None, others)
    groups.sort(key=lambda group: group[0].movement.workspace_id.int)
    return SplitMovements(SpendBatch(groups, _columns(groups, at)), others)


def _is_plain(group: Sequence[HasMovement]) -> bool:
    """Whether the optimistic way can post all these movements of one workspace."""
    if len(group) == 1:
        return isinstance(group[0].movement, Spend)
    total = 0
    seen: set[tuple[str, str]] = set()
    for carrier in group:
        movement = carrier.movement
        if not isinstance(movement, Spend):
            return False
        total += movement.amount
        if (key := movement.key) is not None:
            name = (key.scope, key.value)
            if name in seen:
                return False
            seen.add(name)
    return total <= MAX_STEPS


def _columns(groups: Sequence[Sequence[HasMovement]], at: datetime) -> SpendArguments:
    spends = [cast(Spend, carrier.movement) for group in groups for carrier in group]
    demands: list[int] = []
    firsts: list[int] = []
    lasts: list[int] = []
    running: list[int] = []
    last = 0
    for group in groups:
        firsts.append(last + 1)
        total = 0
        for spend in spends[last : last + len(group)]:
            total += spend.amount
            running.append(total)
        last += len(group)
        demands.append(total)
        lasts.append(last)
    keys = [spend.key for spend in spends]
    return SpendArguments(
        at,
        [spends[first - 1].workspace_id for first in firsts],
        demands,
        firsts,
        lasts,
        running,
        [spend.amount for spend in spends],
        [spend.description for spend in spends],
        [spend.resource for spend in spends],
        [spend.subject_id for spend in spends],
        [
            transaction_digest(
                spend.workspace_id,
                Kind.USAGE,
                -spend.amount,
                spend.description,
                at,
                spend.resource,
                None,
                None,
                subject_id=spend.subject_id,
            )
            for spend in spends
        ],
        [key and key.scope for key in keys],
        [key and key.value for key in keys],
        [key and key.input_hash for key in keys],
    )
