"""Batches of plain spends for the optimistic way: the columns the database takes, and what its answer means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar, cast

from app.ledger.chart import Kind
from app.ledger.entries import transaction_digest
from app.ledger.movements import Movement, Posted, Spend, Transaction
from app.money import MAX_STEPS
from app.store.ledger_posting import BalanceRow, SpendArguments


class Asking(Protocol):
    """Somebody who asks for a movement."""

    @property
    def movement(self) -> Movement:
        """What is asked for."""
        ...


A = TypeVar("A", bound=Asking)


class Plan(NamedTuple, Generic[A]):
    """The workspaces that only spend, as a batch, and all others, each with those who ask in the order they came."""

    spends: SpendBatch[A] | None
    others: list[Sequence[A]]


@dataclass(frozen=True, slots=True)
class SpendBatch(Generic[A]):
    """Those who ask for spends, by workspace, and the columns that say the same in the same order."""

    groups: list[Sequence[A]]
    arguments: SpendArguments

    def answers(self, rows: Iterable[BalanceRow]) -> Iterator[tuple[A, Posted]]:
        """Each one whose spend was posted, and its answer, from the balances that the database answered."""
        at = self.arguments.at
        for number, available, held, last, version in rows:
            group = self.groups[number - 1]
            workspace_id = self.arguments.workspaces[number - 1]
            sequence = last - len(group)
            balance = available + self.arguments.demands[number - 1]
            for asking in group:
                spend = cast(Spend, asking.movement)
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
                )
                yield asking, Posted(transaction, version)

    def left(self, rows: Sequence[BalanceRow]) -> list[Sequence[A]]:
        """The groups that the database did not answer."""
        if len(rows) == len(self.groups):
            return []
        answered = {row.number for row in rows}
        return [group for number, group in enumerate(self.groups, 1) if number not in answered]


def plan(by_workspace: Iterable[Sequence[A]], at: datetime) -> Plan[A]:
    """Tell the workspaces that only spend from the others; each comes with those who ask in the order they came.

    A key that comes twice makes its workspace one of the others.
    """
    groups: list[Sequence[A]] = []
    others: list[Sequence[A]] = []
    for asking in by_workspace:
        (groups if _is_plain(asking) else others).append(asking)
    if not groups:
        return Plan(None, others)
    groups.sort(key=lambda asking: asking[0].movement.workspace_id.int)
    return Plan(SpendBatch(groups, _columns(groups, at)), others)


def _is_plain(group: Sequence[Asking]) -> bool:
    """Whether the optimistic way can take all that a workspace is asked for."""
    if len(group) == 1:
        return isinstance(group[0].movement, Spend)
    total = 0
    seen: set[tuple[str, str]] = set()
    for asking in group:
        movement = asking.movement
        if not isinstance(movement, Spend):
            return False
        total += movement.amount
        if (key := movement.key) is not None:
            name = (key.scope, key.value)
            if name in seen:
                return False
            seen.add(name)
    return total <= MAX_STEPS


def _columns(groups: Sequence[Sequence[Asking]], at: datetime) -> SpendArguments:
    spends = [cast(Spend, asking.movement) for group in groups for asking in group]
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
        [
            transaction_digest(
                spend.workspace_id, Kind.USAGE, -spend.amount, spend.description, at, spend.resource, None, None
            )
            for spend in spends
        ],
        [key and key.scope for key in keys],
        [key and key.value for key in keys],
        [key and key.input_hash for key in keys],
    )
