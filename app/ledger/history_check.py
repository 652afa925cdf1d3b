"""Recomputes one workspace's history by the rules of the ledger, and raises at the first row that disagrees.

Pure: `verify.py` reads the rows and passes them in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from app.ledger import entries
from app.ledger.chart_of_accounts import COUNTER_ACCOUNT, Account, Kind, Source
from app.ledger.entries import Entries, Entry
from app.ledger.grants import LockedGrant, Portion, in_spending_order, take
from app.ledger.ledger_reads import transaction_of
from app.ledger.movements import Transaction
from app.store.ledger_reads import StoredTransaction

Row: TypeAlias = Mapping[Any, Any]
_Terms: TypeAlias = tuple[UUID | datetime | str | None, ...]
_BRINGS_A_GRANT = frozenset({Kind.PURCHASE, Kind.AUTO_RECHARGE, Kind.BONUS, Kind.ADJUSTMENT, Kind.REINSTATEMENT})


class Disagreement(Exception):
    """A row holds something else than the history before it allows; `row` names it, `reason` tells what is wrong."""

    def __init__(self, row: str, reason: str) -> None:
        self.row = row
        self.reason = reason
        super().__init__(f"{row}: {reason}")


class _Step(NamedTuple):
    """A transaction, its entries as stored, and its first row, which carries its digest and the hold it names."""

    transaction: Transaction
    entries: Entries
    row: Row

    @property
    def name(self) -> str:
        return f"transaction {self.transaction.sequence}"

    def sum_of(self, account: Account | None) -> int:
        return sum(entry.amount for entry in self.entries if entry.account is account)


class _Held(NamedTuple):
    """A hold that is open at this point of the history; `closed_sequence` is the transaction that closes it, as its row has it."""

    portions: list[Portion]
    closed_sequence: int | None


@dataclass(slots=True)
class HistoryCheck:
    """The check of one workspace: `check_next` takes the rows of each transaction, in order, then `check_end` the balance's row.

    `grants` are the rows of its grants, by the sequence of the transaction that opened each.
    """

    workspace_id: UUID
    grants: dict[int, Row]
    available: int = 0
    held: int = 0
    sequence: int = 0
    _grants_so_far: dict[UUID, LockedGrant] = field(default_factory=dict[UUID, LockedGrant])
    _open_grants: dict[UUID, LockedGrant] = field(default_factory=dict[UUID, LockedGrant])
    _open_holds: dict[UUID, _Held] = field(default_factory=dict[UUID, _Held])

    def check_next(self, rows: Sequence[Row]) -> None:
        """Check the next transaction, given as its rows, one for each entry; raises `Disagreement`."""
        transaction = transaction_of(StoredTransaction(*(rows[0][name] for name in StoredTransaction._fields)))
        step = _Step(transaction, [_entry(row) for row in rows if row["line"] is not None], rows[0])
        _check(step.name, "sequence", transaction.sequence, self.sequence + 1)
        if sum(entry.amount for entry in step.entries) != 0:
            raise Disagreement(step.name, "its entries do not sum to zero")
        _check(step.name, "amount", transaction.amount, step.sum_of(Account.AVAILABLE))
        _check(step.name, "held_delta", transaction.held_delta, step.sum_of(Account.HELD))
        _check(step.name, "balance_after", transaction.balance_after, self.available + transaction.amount)
        _check(step.name, "held_after", transaction.held_after, self.held + transaction.held_delta)
        terms = self._opened_grant(step) or self._opened_hold(step)
        expected = self._expected(step)
        for line, (found, right) in enumerate(zip_longest(step.entries, expected)):
            if found != right:
                raise Disagreement(
                    f"entry {line} of {step.name}", f"is {_entry_text(found)}, but should be {_entry_text(right)}"
                )
        if step.row["seal"] != _expected_digest(transaction, terms):
            raise Disagreement(step.name, "its contents do not match its digest (`seal`)")
        self._apply(step)

    def check_end(self, balance: Row | None) -> None:
        """Compare the grants, the holds and the balance with what the history ends with; raises `Disagreement`."""
        for row in self.grants.values():
            grant = self._grants_so_far.get(row["id"])
            if grant is None:
                raise Disagreement(f"grant {row['id']}", "no transaction opened it")
            _check(f"grant {grant.id}", "remaining", row["remaining"], grant.remaining)
        for hold_id, hold in self._open_holds.items():
            _check(f"hold {hold_id}", "closed_sequence", hold.closed_sequence, None)
        if balance is None:
            if self.sequence:
                raise Disagreement("balance", "is missing")
            return
        _check("balance", "available", balance["available"], self.available)
        _check("balance", "held", balance["held"], self.held)
        _check("balance", "sequence", balance["sequence"], self.sequence)

    def _opened_grant(self, step: _Step) -> _Terms:
        """Open the grant that this transaction brings, if it brings one; returns its terms, which are part of the digest."""
        row = self.grants.get(step.transaction.sequence)
        if row is None:
            if step.transaction.kind in _BRINGS_A_GRANT:
                raise Disagreement(step.name, "the grant it opened is missing")
            return ()
        name, source, counter = f"grant {row['id']}", Source(row["source"]), COUNTER_ACCOUNT[step.transaction.kind]
        if step.transaction.kind is not Kind.REINSTATEMENT:
            _check(name, "kind", source.kind, step.transaction.kind)
        _check(name, "amount", row["amount"], -step.sum_of(counter))
        _check(name, "granted_at", row["granted_at"], step.transaction.at)
        _check(name, "purchase_id", row["purchase_id"], step.transaction.purchase_id)
        grant = LockedGrant(row["id"], source, 0, row["granted_at"], row["expires_at"], row["purchase_id"])
        self._grants_so_far[grant.id] = grant
        return (grant.id, grant.source, grant.expires_at)

    def _opened_hold(self, step: _Step) -> _Terms:
        """Check the hold that this transaction names, if it names one; returns its terms where this transaction opened it."""
        transaction, row = step.transaction, step.row
        if transaction.hold_id is None:
            return ()
        name = f"hold {transaction.hold_id}"
        if transaction.kind is not Kind.HOLD:
            _check(name, "closed_sequence", row["closed_sequence"], transaction.sequence)
            _check(name, "captured", row["captured"], step.sum_of(Account.USAGE))
            # a server of the version before that ends a hold writes neither
            if (transaction.resource, transaction.subject_id) != (None, None):
                _check(name, "resource", row["hold_resource"], transaction.resource)
                _check(name, "subject_id", row["hold_subject_id"], transaction.subject_id)
            return ()
        _check(name, "opened_sequence", row["opened_sequence"], transaction.sequence)
        _check(name, "amount", row["hold_amount"], transaction.held_delta)
        _check(name, "description", row["hold_description"], transaction.description)
        _check(name, "resource", row["hold_resource"], transaction.resource)
        _check(name, "subject_id", row["hold_subject_id"], transaction.subject_id)
        return (row["hold_expires_at"],)

    def _expected(self, step: _Step) -> Entries:
        """The entries that this transaction should have by the rules."""
        transaction, kind = step.transaction, step.transaction.kind
        spendable = in_spending_order(self._open_grants.values())
        debt = max(-self.available, 0)
        counter = COUNTER_ACCOUNT[kind]
        match kind:
            case Kind.USAGE | Kind.HOLD:
                portions, uncovered = take(spendable, -transaction.amount)
                if uncovered or any(
                    self._open_grants[grant_id].has_expired(transaction.at) for grant_id, _ in portions
                ):
                    raise Disagreement(step.name, "it takes credits that were not available")
                return entries.set_aside(portions) if counter is None else entries.going_out(counter, portions)
            case Kind.RELEASE | Kind.CAPTURE:
                held = self._open_holds.get(transaction.hold_id) if transaction.hold_id else None
                if held is None:
                    raise Disagreement(step.name, "the hold it ends is not open")
                return entries.end_of_hold(
                    held.portions, step.sum_of(Account.USAGE) if kind is Kind.CAPTURE else 0, debt
                )
            case Kind.EXPIRY:
                if not spendable or not spendable[0].has_expired(transaction.at):
                    raise Disagreement(step.name, "nothing had expired")
                return entries.going_out(Account.EXPIRY, [Portion(spendable[0].id, spendable[0].remaining)])
            case Kind.CLAWBACK:
                spendable.sort(key=lambda grant: grant.purchase_id != transaction.purchase_id)
                portions, owed = take(spendable, -transaction.amount)
                return entries.going_out(Account.CLAWBACK, portions, owed)
            case _:
                assert counter is not None
                return entries.coming_in(counter, self.grants[transaction.sequence]["id"], transaction.amount, debt)

    def _apply(self, step: _Step) -> None:
        transaction = step.transaction
        self.available, self.held = transaction.balance_after, transaction.held_after
        self.sequence = transaction.sequence
        for account, grant_id, amount in step.entries:
            if account is Account.AVAILABLE and grant_id is not None:
                grant = self._grants_so_far[grant_id]
                grant.remaining += amount
                if grant.remaining:
                    self._open_grants[grant_id] = grant
                else:
                    self._open_grants.pop(grant_id, None)
        if transaction.hold_id is not None:
            if transaction.kind is Kind.HOLD:
                portions = [
                    Portion(e.grant_id, e.amount) for e in step.entries if e.account is Account.HELD and e.grant_id
                ]
                self._open_holds[transaction.hold_id] = _Held(portions, step.row["closed_sequence"])
            else:
                del self._open_holds[transaction.hold_id]


def _check(row: str, column: str, found: object, expected: object) -> None:
    if found != expected:
        raise Disagreement(row, f"{column} is {found}, but should be {expected}")


def _entry(row: Row) -> Entry:
    return Entry(Account(row["account"]), row["grant_id"], row["entry_amount"])


def _entry_text(entry: Entry | None) -> str:
    if entry is None:
        return "missing"
    return f"{entry.amount} on {entry.account}" + (f" of grant {entry.grant_id}" if entry.grant_id else "")


def _expected_digest(transaction: Transaction, terms: _Terms) -> bytes:
    return entries.transaction_digest(
        transaction.workspace_id,
        transaction.kind,
        transaction.amount,
        transaction.description,
        transaction.at,
        transaction.resource,
        transaction.purchase_id,
        transaction.hold_id,
        *terms,
        subject_id=transaction.subject_id,
    )
