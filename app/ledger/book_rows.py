"""Opening the books of locked workspaces, and writing them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.db.engine import Session
from app.idempotency import KEYS_KEPT
from app.ledger.book import Book
from app.ledger.chart import Kind, Source
from app.ledger.grants import LockedGrant, Portion
from app.ledger.movements import Capture, Clawback, Grant, Hold, Movement, Reinstate, Release, Transaction
from app.ledger.records import OpenHold, Remembered
from app.store import ledger_posting as ledger_posting_store


async def open_books(
    session: Session, workspace_ids: Iterable[UUID], movements: Sequence[Movement], *, may_wait: bool = True
) -> dict[UUID, Book]:
    """Lock the workspaces, in id order, and read what judging the movements needs.

    Where it may not wait for a lock, a workspace that another has locked counts as one that has nothing yet.
    """
    wanted = _wanted(workspace_ids, movements)
    state = await ledger_posting_store.lock_state(
        session, wanted, keys_since=session.now - KEYS_KEPT, may_wait=may_wait
    )
    books = {workspace_id: Book(workspace_id, session.now) for workspace_id in workspace_ids}
    for row in state.balances:
        book = books[UUID(row["workspace_id"])]
        book.available, book.held = row["available"], row["held"]
        book.sequence, book.version = row["sequence"], row["version"]
        book.recharge_below = row["recharge_below"]
    for row in state.grants:
        locked_grant = _locked_grant(row)
        books[UUID(row["workspace_id"])].locked_grants[locked_grant.id] = locked_grant
    for row in state.holds:
        hold = _hold(row)
        books[UUID(row["workspace_id"])].holds[hold.id] = hold
    for row in state.replays:
        transaction = _transaction(row)
        book = books[transaction.workspace_id]
        if row["idempotency_key"] is not None and transaction.at >= session.now - KEYS_KEPT:
            input_hash = bytes.fromhex(row["input_hash"].removeprefix("\\x"))
            book.remembered[row["scope"], row["idempotency_key"]] = Remembered(transaction, input_hash)
        if transaction.kind in (Kind.PURCHASE, Kind.AUTO_RECHARGE) and transaction.purchase_id is not None:
            book.purchases[transaction.purchase_id] = transaction
    return books


async def write_books(session: Session, books: Iterable[Book]) -> list[Book]:
    """Write what the books gathered; returns those that changed."""
    changed = [book for book in books if book.written]
    if changed:
        rows: dict[str, list[dict[str, Any]]] = {}
        for book in changed:
            for table, row in _rows(book):
                rows.setdefault(table, []).append(row)
        await ledger_posting_store.write(session, rows)
    return changed


def _wanted(workspace_ids: Iterable[UUID], movements: Sequence[Movement]) -> ledger_posting_store.Wanted:
    opening: set[UUID] = set()
    keys: list[tuple[UUID, str, str]] = []
    holds: set[tuple[UUID, UUID]] = set()
    purchases: set[tuple[UUID, UUID]] = set()
    for movement in movements:
        if movement.key is not None:
            keys.append((movement.workspace_id, movement.key.scope, movement.key.value))
        match movement:
            case Hold():
                holds.add((movement.workspace_id, movement.id))
            case Capture() | Release():
                holds.add((movement.workspace_id, movement.hold_id))
            case Grant() | Clawback() | Reinstate():
                opening.add(movement.workspace_id)
                if movement.purchase_id is not None:
                    purchases.add((movement.workspace_id, movement.purchase_id))
            case _:
                pass
    return ledger_posting_store.Wanted(
        sorted(workspace_ids), sorted(opening), sorted(set(keys)), sorted(holds), sorted(purchases)
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _locked_grant(row: Mapping[str, Any]) -> LockedGrant:
    return LockedGrant(
        id=UUID(row["id"]),
        source=Source(row["source"]),
        remaining=row["remaining"],
        granted_at=_moment(row["granted_at"]),
        expires_at=_moment(row["expires_at"]) if row["expires_at"] else None,
        purchase_id=_uuid(row["purchase_id"]),
    )


def _hold(row: Mapping[str, Any]) -> OpenHold:
    return OpenHold(
        id=UUID(row["id"]),
        amount=row["amount"],
        captured=row["captured"],
        description=row["description"],
        expires_at=_moment(row["expires_at"]),
        opened_sequence=row["opened_sequence"],
        closed_sequence=row["closed_sequence"],
        portions=[Portion(UUID(grant_id), amount) for grant_id, amount in row["portions"]],
    )


def _transaction(row: Mapping[str, Any]) -> Transaction:
    return Transaction(
        workspace_id=UUID(row["workspace_id"]),
        sequence=row["sequence"],
        kind=Kind(row["kind"]),
        amount=row["amount"],
        balance_after=row["balance_after"],
        held_delta=row["held_delta"],
        held_after=row["held_after"],
        description=row["description"],
        resource=row["resource"],
        purchase_id=_uuid(row["purchase_id"]),
        hold_id=_uuid(row["hold_id"]),
        at=_moment(row["at"]),
    )


def _rows(book: Book) -> Iterable[tuple[str, dict[str, Any]]]:
    """Every row that the book adds or changes, with the part of the payload it belongs to."""
    in_workspace = {"workspace_id": book.workspace_id}
    for transaction, entries, seal, key in book.written:
        place = in_workspace | {"sequence": transaction.sequence}
        yield (
            "transactions",
            place
            | {
                "kind": transaction.kind,
                "amount": transaction.amount,
                "balance_after": transaction.balance_after,
                "held_delta": transaction.held_delta,
                "held_after": transaction.held_after,
                "description": transaction.description,
                "resource": transaction.resource,
                "purchase_id": transaction.purchase_id,
                "hold_id": transaction.hold_id,
                "seal": seal.hex(),
                "scope": key and key.scope,
                "idempotency_key": key and key.value,
                "input_hash": key and key.input_hash.hex(),
            },
        )
        for line, (account, grant_id, amount) in enumerate(entries):
            yield "entries", place | {"line": line, "account": account, "grant_id": grant_id, "amount": amount}
    opened = {grant.locked_grant.id for grant in book.opened_grants}
    for locked_grant, amount, sequence in (
        (grant.locked_grant, grant.amount, grant.sequence) for grant in book.opened_grants
    ):
        yield (
            "opened_grants",
            in_workspace
            | {
                "id": locked_grant.id,
                "opened_sequence": sequence,
                "source": locked_grant.source,
                "amount": amount,
                "remaining": locked_grant.remaining,
                "expires_at": locked_grant.expires_at,
                "purchase_id": locked_grant.purchase_id,
            },
        )
    for grant_id in book.touched_grants - opened:
        yield "touched_grants", in_workspace | {"id": grant_id, "remaining": book.locked_grants[grant_id].remaining}
    yield from _hold_rows(book, in_workspace)
    yield (
        "balances",
        in_workspace
        | {"available": book.available, "held": book.held, "sequence": book.sequence, "version": book.version},
    )


def _hold_rows(book: Book, in_workspace: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for hold_id in book.opened_holds | book.closed_holds:
        hold = book.holds[hold_id]
        row = in_workspace | {"id": hold.id, "captured": hold.captured, "closed_sequence": hold.closed_sequence}
        if hold_id in book.opened_holds:
            row |= {
                "amount": hold.amount,
                "description": hold.description,
                "expires_at": hold.expires_at,
                "opened_sequence": hold.opened_sequence,
            }
            yield "opened_holds", row
        else:
            yield "closed_holds", row
