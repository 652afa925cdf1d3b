"""Double entry: the entries of each kind of transaction. Pure: every function returns entries that sum to zero."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from app.ledger.chart_of_accounts import Account, Kind
from app.ledger.grants import Portion, split


class Entry(NamedTuple):
    """What an account gained, in steps. On the workspace's own accounts `grant_id` names the grant; None there is the debt."""

    account: Account
    grant_id: UUID | None
    amount: int


Entries = list[Entry]


def _on(account: Account, portions: Iterable[Portion], sign: int) -> Entries:
    return [Entry(account, grant_id, sign * amount) for grant_id, amount in portions]


def _total(portions: Iterable[Portion]) -> int:
    return sum(amount for _, amount in portions)


def _against(account: Account, entries: Entries) -> Entries:
    rest = -sum(entry.amount for entry in entries)
    return [Entry(account, None, rest), *entries] if rest else entries


def coming_in(counter: Account, grant_id: UUID, amount: int, debt: int) -> Entries:
    """`amount` comes in: it pays the debt first, and the rest is the grant's."""
    paid = min(amount, debt)
    own = [Entry(Account.AVAILABLE, None, paid)] if paid else []
    if amount - paid:
        own.append(Entry(Account.AVAILABLE, grant_id, amount - paid))
    return _against(counter, own)


def going_out(counter: Account, portions: Sequence[Portion], owed: int = 0) -> Entries:
    """The portions go out, and `owed` more becomes a debt."""
    own = _on(Account.AVAILABLE, portions, -1)
    if owed:
        own.append(Entry(Account.AVAILABLE, None, -owed))
    return _against(counter, own)


def set_aside(portions: Sequence[Portion]) -> Entries:
    """The portions move from available to held."""
    return _on(Account.AVAILABLE, portions, -1) + _on(Account.HELD, portions, 1)


def end_of_hold(portions: Sequence[Portion], captured: int, debt: int) -> Entries:
    """The held portions end: the first `captured` of them are used; the rest pays the debt, then returns to its grants."""
    _, returning = split(portions, captured)
    paid = min(_total(returning), debt)
    _, back = split(returning, paid)
    own = _on(Account.HELD, portions, -1)
    if paid:
        own.append(Entry(Account.AVAILABLE, None, paid))
    return _against(Account.USAGE, own + _on(Account.AVAILABLE, back, 1))


def transaction_digest(
    workspace_id: UUID,
    kind: Kind,
    amount: int,
    description: str,
    at: datetime,
    *details: UUID | datetime | str | int | None,
    subject_id: UUID | None = None,
) -> bytes:
    """A hash (16 bytes) of everything in a transaction that can't be recomputed from its entries, so that `verify` finds changes.

    `details` are `resource`, `purchase_id` and `hold_id`, then the terms of the grant or hold that the transaction opens. A subject
    is hashed only where there is one, so that the digest of a transaction without one is what it was before there were subjects.
    Sequence and balance are left out: they follow from the transactions before, and a batch is hashed before it is posted. The
    column is called `seal`.
    """
    subject = () if subject_id is None else (subject_id,)
    contents = orjson.dumps((workspace_id, kind, amount, description, at, *details, *subject), default=str)
    return hashlib.blake2b(contents, digest_size=16).digest()
