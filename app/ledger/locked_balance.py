"""One workspace's balance while it is locked: applies movements in turn, in memory, and gathers the rows to be written.

Pure: no database, no clock. `locked_balance_rows.py` reads what it starts from and writes what it gathered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from app.ids import uuid7
from app.ledger import entries
from app.ledger.chart_of_accounts import COUNTER_ACCOUNT, Account, Kind, Source
from app.ledger.entries import Entries
from app.ledger.grants import LockedGrant, Portion, in_spending_order, take
from app.ledger.locked_balance_records import KeyedTransaction, LockedHold, NewGrant, NewTransaction
from app.ledger.movements import (
    Capture,
    Clawback,
    Grant,
    Hold,
    HoldClosed,
    InsufficientCredits,
    Key,
    Movement,
    Posted,
    Reinstate,
    Release,
    Spend,
    Transaction,
)
from app.money import MAX_STEPS

_PURCHASED = (Source.PURCHASE, Source.AUTO_RECHARGE)


@dataclass(slots=True)
class LockedBalance:
    """What the ledger holds of a locked workspace, as far as its movements need it, and what they add.

    Amounts count the credit unit's smallest step. `keyed` are the transactions that idempotency keys made, by (scope, key), and
    `purchases` those that granted a purchase, by its id; both hold only what the movements may repeat.
    """

    workspace_id: UUID
    now: datetime
    available: int = 0
    held: int = 0
    sequence: int = 0
    version: int = 0
    recharge_below: int | None = None
    was_lowered: bool = False
    locked_grants: dict[UUID, LockedGrant] = field(default_factory=dict[UUID, LockedGrant])
    holds: dict[UUID, LockedHold] = field(default_factory=dict[UUID, LockedHold])
    keyed: dict[tuple[str, str], KeyedTransaction] = field(default_factory=dict[tuple[str, str], KeyedTransaction])
    purchases: dict[UUID, Transaction] = field(default_factory=dict[UUID, Transaction])
    new_transactions: list[NewTransaction] = field(default_factory=list[NewTransaction])
    new_grants: list[NewGrant] = field(default_factory=list[NewGrant])
    opened_holds: set[UUID] = field(default_factory=set[UUID])
    closed_holds: set[UUID] = field(default_factory=set[UUID])
    touched_grants: set[UUID] = field(default_factory=set[UUID])

    @property
    def debt(self) -> int:
        """What the next credits have to pay first."""
        return max(-self.available, 0)

    @property
    def is_low(self) -> bool:
        """Whether a spend, a hold or expiry (never a claw-back) lowered the balance to `recharge_below`: auto-recharge is due."""
        return self.was_lowered and self.recharge_below is not None and self.available <= self.recharge_below

    def apply_due(self) -> None:
        """Apply what fell due: release lapsed holds, in the order they lapsed, and write off expired grants.

        Comes before any movement is applied.
        """
        lapsed = [hold for hold in self.holds.values() if hold.closed_sequence is None and hold.expires_at <= self.now]
        for hold in sorted(lapsed, key=lambda hold: (hold.expires_at, hold.id)):
            self._close(hold, Kind.RELEASE, 0, f"Lapsed: {hold.description}", None)
        self._expire()

    def apply(self, movement: Movement) -> Posted:
        """Apply the movement, or return what the same idempotency key did before.

        Raises `InsufficientCredits`, `HoldClosed`, `IdempotencyConflict`, `InvalidInput` or `NotFound`; then nothing was changed.
        """
        earlier = self._earlier(movement)
        if earlier is not None:
            hold = self.holds[earlier.hold_id].state(self.workspace_id) if earlier.hold_id else None
            return Posted(earlier, self.version, hold, is_replay=True, is_low=self.is_low)
        match movement:
            case Grant():
                return self._posted(self._grant(movement))
            case Spend():
                portions = self._portions_for(movement.amount)
                out = entries.going_out(Account.USAGE, portions)
                return self._posted(
                    self._write(
                        Kind.USAGE,
                        out,
                        movement.description,
                        movement.key,
                        resource=movement.resource,
                        subject_id=movement.subject_id,
                    )
                )
            case Hold():
                return self._hold(movement)
            case Capture():
                hold = self._require_open(movement.hold_id)
                if movement.amount > hold.amount:
                    raise InvalidInput("A capture can't be larger than its hold.")
                return self._end_hold(hold, Kind.CAPTURE, movement.amount, movement.key)
            case Release():
                return self._end_hold(self._require_open(movement.hold_id), Kind.RELEASE, 0, movement.key)
            case Clawback():
                return self._posted(self._claw_back(movement))
            case Reinstate():
                return self._posted(self._reinstate(movement))

    def _earlier(self, movement: Movement) -> Transaction | None:
        """The transaction that this movement repeats, by its idempotency key or by the purchase it grants."""
        key = movement.key
        if key is not None and (earlier := self.keyed.get((key.scope, key.value))) is not None:
            if earlier.input_hash != key.input_hash:
                raise IdempotencyConflict
            return earlier.transaction
        if isinstance(movement, Grant) and movement.purchase_id is not None and movement.source in _PURCHASED:
            return self.purchases.get(movement.purchase_id)
        return None

    def _posted(self, transaction: Transaction, hold: LockedHold | None = None) -> Posted:
        state = hold.state(self.workspace_id) if hold else None
        return Posted(transaction, self.version, state, is_low=self.is_low)

    def _portions_for(self, amount: int) -> list[Portion]:
        """The portions of grants, in spending order, that make `amount`. None has expired: `apply_due` came first."""
        if self.available < amount:
            raise InsufficientCredits(self.available)
        portions, _ = take(in_spending_order(self.locked_grants.values()), amount)
        return portions

    def _grant(self, movement: Grant) -> Transaction:
        if movement.expires_at is not None and movement.expires_at <= self.now:
            raise InvalidInput("Credits must expire in the future.")
        counter = COUNTER_ACCOUNT[movement.source.kind]
        assert counter is not None
        locked_grant = LockedGrant(uuid7(), movement.source, 0, self.now, movement.expires_at, movement.purchase_id)
        transaction = self._open_grant(
            locked_grant, movement.source.kind, counter, movement.amount, movement.description, movement.key
        )
        if movement.purchase_id is not None and movement.source in _PURCHASED:
            self.purchases[movement.purchase_id] = transaction
        return transaction

    def _open_grant(
        self, locked_grant: LockedGrant, kind: Kind, counter: Account, amount: int, description: str, key: Key | None
    ) -> Transaction:
        if max(self.available, 0) + self.held + amount > MAX_STEPS:
            raise InvalidInput("The balance would be larger than can be counted.")
        self.locked_grants[locked_grant.id] = locked_grant
        self.new_grants.append(NewGrant(locked_grant, amount, self.sequence + 1))
        coming = entries.coming_in(counter, locked_grant.id, amount, self.debt)
        terms = (locked_grant.id, locked_grant.source, locked_grant.expires_at)
        return self._write(kind, coming, description, key, purchase_id=locked_grant.purchase_id, terms=terms)

    def _hold(self, movement: Hold) -> Posted:
        if movement.expires_at <= self.now:
            raise InvalidInput("A hold must expire in the future.")
        if movement.id in self.holds:
            raise Conflict
        portions = self._portions_for(movement.amount)
        transaction = self._write(
            Kind.HOLD,
            entries.set_aside(portions),
            movement.description,
            movement.key,
            resource=movement.resource,
            subject_id=movement.subject_id,
            hold_id=movement.id,
            terms=(movement.expires_at,),
        )
        hold = LockedHold(
            movement.id,
            movement.amount,
            0,
            movement.description,
            movement.expires_at,
            transaction.sequence,
            None,
            portions,
            movement.resource,
            movement.subject_id,
        )
        self.holds[hold.id] = hold
        self.opened_holds.add(hold.id)
        return self._posted(transaction, hold)

    def _require_open(self, hold_id: UUID) -> LockedHold:
        hold = self.holds.get(hold_id)
        if hold is None:
            raise NotFound
        if hold.closed_sequence is not None:
            raise HoldClosed
        return hold

    def _end_hold(self, hold: LockedHold, kind: Kind, captured: int, key: Key | None) -> Posted:
        transaction = self._close(hold, kind, captured, hold.description, key)
        # Credits that return to a grant which expired meanwhile expire at once.
        self._expire()
        return self._posted(transaction, hold)

    def _close(self, hold: LockedHold, kind: Kind, captured: int, description: str, key: Key | None) -> Transaction:
        ending = entries.end_of_hold(hold.portions, captured, self.debt)
        transaction = self._write(
            kind, ending, description, key, resource=hold.resource, subject_id=hold.subject_id, hold_id=hold.id
        )
        hold.captured = captured
        hold.closed_sequence = transaction.sequence
        self.closed_holds.add(hold.id)
        return transaction

    def _expire(self) -> None:
        for locked_grant in in_spending_order(self.locked_grants.values()):
            if locked_grant.remaining > 0 and locked_grant.has_expired(self.now):
                out = entries.going_out(Account.EXPIRY, [Portion(locked_grant.id, locked_grant.remaining)])
                self._write(Kind.EXPIRY, out, "Expired", None, purchase_id=locked_grant.purchase_id)

    def _claw_back(self, movement: Clawback) -> Transaction:
        if self.available - movement.amount < -MAX_STEPS:
            raise InvalidInput("The debt would be larger than can be counted.")
        ordered = in_spending_order(self.locked_grants.values())
        # A stable sort: the purchase's own grants first, and spending order within each half.
        ordered.sort(key=lambda locked_grant: locked_grant.purchase_id != movement.purchase_id)
        portions, owed = take(ordered, movement.amount)
        out = entries.going_out(Account.CLAWBACK, portions, owed)
        return self._write(Kind.CLAWBACK, out, movement.description, movement.key, purchase_id=movement.purchase_id)

    def _reinstate(self, movement: Reinstate) -> Transaction:
        bought = [
            locked_grant
            for locked_grant in self.locked_grants.values()
            if locked_grant.purchase_id == movement.purchase_id
        ]
        if not bought:
            raise InvalidInput("Nothing was granted for this purchase.")
        terms = min(bought, key=lambda locked_grant: (locked_grant.granted_at, locked_grant.id))
        locked_grant = LockedGrant(uuid7(), terms.source, 0, self.now, terms.expires_at, movement.purchase_id)
        transaction = self._open_grant(
            locked_grant, Kind.REINSTATEMENT, Account.CLAWBACK, movement.amount, movement.description, movement.key
        )
        self._expire()
        return transaction

    def _write(
        self,
        kind: Kind,
        lines: Entries,
        description: str,
        key: Key | None,
        *,
        resource: str | None = None,
        subject_id: UUID | None = None,
        purchase_id: UUID | None = None,
        hold_id: UUID | None = None,
        terms: Iterable[UUID | datetime | str | None] = (),
    ) -> Transaction:
        amount = held_delta = 0
        for account, grant_id, moved in lines:
            if account is Account.AVAILABLE:
                amount += moved
                if grant_id is not None:
                    self.locked_grants[grant_id].remaining += moved
                    self.touched_grants.add(grant_id)
            elif account is Account.HELD:
                held_delta += moved
        self.was_lowered |= amount < 0 and kind is not Kind.CLAWBACK
        self.available += amount
        self.held += held_delta
        self.sequence += 1
        self.version += 1
        transaction = Transaction(
            self.workspace_id,
            self.sequence,
            kind,
            amount,
            self.available,
            held_delta,
            self.held,
            description,
            resource,
            purchase_id,
            hold_id,
            self.now,
            subject_id,
        )
        digest = entries.transaction_digest(
            self.workspace_id,
            kind,
            amount,
            description,
            self.now,
            resource,
            purchase_id,
            hold_id,
            *terms,
            subject_id=subject_id,
        )
        self.new_transactions.append(NewTransaction(transaction, lines, digest, key))
        if key is not None:
            self.keyed[key.scope, key.value] = KeyedTransaction(transaction, key.input_hash)
        return transaction
