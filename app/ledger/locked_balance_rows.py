"""Locking and reading the balances of workspaces, and writing back what movements changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.db.engine import Session
from app.idempotency import KEYS_KEPT
from app.ledger.chart_of_accounts import Kind, Source
from app.ledger.grants import LockedGrant, Portion
from app.ledger.locked_balance import LockedBalance
from app.ledger.locked_balance_records import KeyedTransaction, LockedHold
from app.ledger.movements import Capture, Clawback, Grant, Hold, Movement, Reinstate, Release, Transaction
from app.store import ledger_posting as ledger_posting_store


async def lock_balances(
    session: Session, workspace_ids: Iterable[UUID], movements: Sequence[Movement], *, may_wait: bool = True
) -> dict[UUID, LockedBalance]:
    """Lock the balances of the workspaces, in id order, and read what applying the movements needs.

    With `may_wait` False a workspace whose balance another transaction has locked counts as one that has no credits yet.
    """
    wanted = _wanted(workspace_ids, movements)
    state = await ledger_posting_store.lock_state(
        session, wanted, keys_since=session.now - KEYS_KEPT, may_wait=may_wait
    )
    balances = {workspace_id: LockedBalance(workspace_id, session.now) for workspace_id in workspace_ids}
    for row in state.balances:
        balance = balances[UUID(row["workspace_id"])]
        balance.available, balance.held = row["available"], row["held"]
        balance.sequence, balance.version = row["sequence"], row["version"]
        balance.recharge_below = row["recharge_below"]
    for row in state.grants:
        locked_grant = _locked_grant(row)
        balances[UUID(row["workspace_id"])].locked_grants[locked_grant.id] = locked_grant
    for row in state.holds:
        hold = _hold(row)
        balances[UUID(row["workspace_id"])].holds[hold.id] = hold
    for row in state.replays:
        transaction = _transaction(row)
        balance = balances[transaction.workspace_id]
        if row["idempotency_key"] is not None and transaction.at >= session.now - KEYS_KEPT:
            input_hash = bytes.fromhex(row["input_hash"].removeprefix("\\x"))
            balance.keyed[row["scope"], row["idempotency_key"]] = KeyedTransaction(transaction, input_hash)
        if transaction.kind in (Kind.PURCHASE, Kind.AUTO_RECHARGE) and transaction.purchase_id is not None:
            balance.purchases[transaction.purchase_id] = transaction
    return balances


async def write_balances(session: Session, balances: Iterable[LockedBalance]) -> list[LockedBalance]:
    """Write the transactions, grants and holds that the balances gathered; returns the balances that changed."""
    changed = [balance for balance in balances if balance.new_transactions]
    if changed:
        rows: dict[str, list[dict[str, Any]]] = {}
        for balance in changed:
            for part, row in _rows(balance):
                rows.setdefault(part, []).append(row)
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


def _hold(row: Mapping[str, Any]) -> LockedHold:
    return LockedHold(
        id=UUID(row["id"]),
        amount=row["amount"],
        captured=row["captured"],
        description=row["description"],
        expires_at=_moment(row["expires_at"]),
        opened_sequence=row["opened_sequence"],
        closed_sequence=row["closed_sequence"],
        portions=[Portion(UUID(grant_id), amount) for grant_id, amount in row["portions"]],
        resource=row["resource"],
        subject_id=_uuid(row["subject_id"]),
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
        subject_id=_uuid(row["subject_id"]),
    )


def _rows(balance: LockedBalance) -> Iterable[tuple[str, dict[str, Any]]]:
    """Every row to add or change, with the part of the payload of the SQL function `ledger_write` that it belongs to."""
    workspace_key = {"workspace_id": balance.workspace_id}
    for transaction, entries, digest, key in balance.new_transactions:
        transaction_key = workspace_key | {"sequence": transaction.sequence}
        yield (
            "transactions",
            transaction_key
            | {
                "kind": transaction.kind,
                "amount": transaction.amount,
                "balance_after": transaction.balance_after,
                "held_delta": transaction.held_delta,
                "held_after": transaction.held_after,
                "description": transaction.description,
                "resource": transaction.resource,
                "subject_id": transaction.subject_id,
                "purchase_id": transaction.purchase_id,
                "hold_id": transaction.hold_id,
                "seal": digest.hex(),
                "scope": key and key.scope,
                "idempotency_key": key and key.value,
                "input_hash": key and key.input_hash.hex(),
            },
        )
        for line, (account, grant_id, amount) in enumerate(entries):
            entry = {"line": line, "account": account, "grant_id": grant_id, "amount": amount}
            yield "entries", transaction_key | entry
    opened = {grant.locked_grant.id for grant in balance.new_grants}
    for grant in balance.new_grants:
        locked_grant = grant.locked_grant
        yield (
            "opened_grants",
            workspace_key
            | {
                "id": locked_grant.id,
                "opened_sequence": grant.sequence,
                "source": locked_grant.source,
                "amount": grant.amount,
                "remaining": locked_grant.remaining,
                "expires_at": locked_grant.expires_at,
                "purchase_id": locked_grant.purchase_id,
            },
        )
    for grant_id in balance.touched_grants - opened:
        yield "touched_grants", workspace_key | {"id": grant_id, "remaining": balance.locked_grants[grant_id].remaining}
    yield from _hold_rows(balance, workspace_key)
    totals = {"available": balance.available, "held": balance.held}
    yield "balances", workspace_key | totals | {"sequence": balance.sequence, "version": balance.version}


def _hold_rows(balance: LockedBalance, workspace_key: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for hold_id in balance.opened_holds | balance.closed_holds:
        hold = balance.holds[hold_id]
        row = workspace_key | {"id": hold.id, "captured": hold.captured, "closed_sequence": hold.closed_sequence}
        if hold_id in balance.opened_holds:
            row |= {
                "amount": hold.amount,
                "description": hold.description,
                "resource": hold.resource,
                "subject_id": hold.subject_id,
                "expires_at": hold.expires_at,
                "opened_sequence": hold.opened_sequence,
            }
            yield "opened_holds", row
        else:
            yield "closed_holds", row
