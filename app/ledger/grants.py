"""From which grants credits are taken, and in which order. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from app.ledger.chart_of_accounts import Source

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class LockedGrant:
    """A grant while its workspace is locked; `remaining` changes as movements are applied."""

    id: UUID
    source: Source
    remaining: int
    granted_at: datetime
    expires_at: datetime | None
    purchase_id: UUID | None

    def has_expired(self, now: datetime) -> bool:
        """Whether nothing of it may be spent any more at `now`."""
        return self.expires_at is not None and self.expires_at <= now


class Portion(NamedTuple):
    """Part of a grant, in steps."""

    grant_id: UUID
    amount: int


def in_spending_order(locked_grants: Iterable[LockedGrant]) -> list[LockedGrant]:
    """The order in which grants are spent: the soonest to expire first, those that never expire last; then the oldest; then by id.

    The same order is written in SQL, for spends that never reach this function, and for showing balances. The places are listed in
    `tests/ledger/test_spending_order.py`, which fails where they disagree.
    """
    return sorted(
        locked_grants,
        key=lambda locked_grant: (locked_grant.expires_at or _NEVER, locked_grant.granted_at, locked_grant.id),
    )


def take(ordered: Iterable[LockedGrant], amount: int) -> tuple[list[Portion], int]:
    """Take `amount` from the grants in the order given: the portions taken, and how much the grants do not cover."""
    portions: list[Portion] = []
    for locked_grant in ordered:
        if amount == 0:
            break
        if locked_grant.remaining > 0:
            taken = min(locked_grant.remaining, amount)
            portions.append(Portion(locked_grant.id, taken))
            amount -= taken
    return portions, amount


def split(portions: Sequence[Portion], amount: int) -> tuple[list[Portion], list[Portion]]:
    """The first `amount` of the portions, and the rest of them."""
    first: list[Portion] = []
    rest: list[Portion] = []
    for grant_id, portion in portions:
        part = min(portion, amount)
        amount -= part
        if part:
            first.append(Portion(grant_id, part))
        if portion - part:
            rest.append(Portion(grant_id, portion - part))
    return first, rest
