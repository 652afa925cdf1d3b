"""A plain model of one workspace's credits, which moves them one by one and knows nothing of the ledger's code."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

# the resource and the subject of a transaction
Use: TypeAlias = tuple[str | None, UUID | None]
NO_USE: Use = (None, None)


class Refused(Exception):
    """The model does not allow it."""


@dataclass(eq=False)
class Credits:
    """Credits that came in together."""

    left: int
    expires_at: datetime | None
    number: int
    purchase_id: UUID | None


@dataclass(eq=False)
class Held:
    """A hold: for each credit it holds, where that credit came from."""

    credits: list[Credits]
    expires_at: datetime
    use: Use
    is_open: bool = True


@dataclass
class Model:
    """What a workspace should look like."""

    grants: list[Credits] = field(default_factory=list[Credits])
    holds: dict[UUID, Held] = field(default_factory=dict[UUID, Held])
    debt: int = 0
    history: list[tuple[str, int, int, int]] = field(default_factory=list[tuple[str, int, int, int]])
    uses: list[Use] = field(default_factory=list[Use])

    @property
    def available(self) -> int:
        return sum(grant.left for grant in self.grants) - self.debt

    @property
    def held(self) -> int:
        return sum(len(hold.credits) for hold in self.holds.values() if hold.is_open)

    def in_order(self) -> list[Credits]:
        def order(grant: Credits) -> tuple[bool, float, int]:
            soon = grant.expires_at.timestamp() if grant.expires_at else 0.0
            return (grant.expires_at is None, soon, grant.number)

        return sorted((grant for grant in self.grants if grant.left), key=order)

    def settle(self, now: datetime) -> None:
        lapsed = [
            (hold.expires_at, hold_id)
            for hold_id, hold in self.holds.items()
            if hold.is_open and hold.expires_at <= now
        ]
        for _, hold_id in sorted(lapsed):
            self._end(hold_id, 0, "RELEASE")
        self._expire(now)

    def grant(self, kind: str, amount: int, expires_at: datetime | None, purchase_id: UUID | None) -> None:
        before = self.available
        for _ in range(amount):
            if self.debt:
                self.debt -= 1
                amount -= 1
        self.grants.append(Credits(amount, expires_at, len(self.grants), purchase_id))
        self._note(kind, before)

    def spend(self, amount: int, use: Use = NO_USE) -> None:
        before = self.available
        self._take(amount)
        self._note("USAGE", before, use)

    def hold(self, hold_id: UUID, amount: int, expires_at: datetime, use: Use = NO_USE) -> None:
        before = self.available
        self.holds[hold_id] = Held(self._take(amount), expires_at, use)
        self._note("HOLD", before, use)

    def end(self, hold_id: UUID, captured: int, kind: str, now: datetime) -> None:
        if not self.holds[hold_id].is_open or captured > len(self.holds[hold_id].credits):
            raise Refused
        self._end(hold_id, captured, kind)
        self._expire(now)

    def claw_back(self, purchase_id: UUID, amount: int) -> None:
        before = self.available
        for _ in range(amount):
            order = self.in_order()
            own = [grant for grant in order if grant.purchase_id == purchase_id]
            if order:
                (own or order)[0].left -= 1
            else:
                self.debt += 1
        self._note("CLAWBACK", before)

    def reinstate(self, purchase_id: UUID, amount: int, now: datetime) -> None:
        terms = next(grant for grant in self.grants if grant.purchase_id == purchase_id)
        self.grant("REINSTATEMENT", amount, terms.expires_at, purchase_id)
        self._expire(now)

    def _take(self, amount: int) -> list[Credits]:
        if amount > self.available:
            raise Refused
        taken: list[Credits] = []
        for _ in range(amount):
            first = self.in_order()[0]
            first.left -= 1
            taken.append(first)
        return taken

    def _end(self, hold_id: UUID, captured: int, kind: str) -> None:
        before = self.available
        hold = self.holds[hold_id]
        hold.is_open = False
        for credit in hold.credits[captured:]:
            if self.debt:
                self.debt -= 1
            else:
                credit.left += 1
        self._note(kind, before, hold.use)

    def _expire(self, now: datetime) -> None:
        for grant in self.in_order():
            if grant.expires_at is not None and grant.expires_at <= now:
                before = self.available
                grant.left = 0
                self._note("EXPIRY", before)

    def _note(self, kind: str, before: int, use: Use = NO_USE) -> None:
        self.history.append((kind, self.available - before, self.available, self.held))
        self.uses.append(use)
