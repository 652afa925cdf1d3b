"""Posting to the ledger: mostly calls of SQL functions, so that locking and then reading takes one round trip.

The functions are in `migrations/versions/*_sql/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson
from asyncpg import Connection
from sqlalchemy import text

from app.db.engine import Session

Json = dict[str, Any]

_STATE = "SELECT * FROM ledger_state($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
_WRITE = "SELECT ledger_write($1, $2)"
_SPEND = (
    "SELECT number, available, held, sequence, version"
    " FROM ledger_charge_by_subject($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)


class SpendArguments(NamedTuple):
    """The arguments of a batch of spends, sorted by workspace; the SQL function `ledger_spend` explains each.

    `subjects` are who or what used the credits, by id.
    """

    at: datetime
    workspaces: Sequence[UUID]
    demands: Sequence[int]
    firsts: Sequence[int]
    lasts: Sequence[int]
    running: Sequence[int]
    amounts: Sequence[int]
    descriptions: Sequence[str]
    resources: Sequence[str | None]
    subjects: Sequence[UUID | None]
    digests: Sequence[bytes]
    scopes: Sequence[str | None]
    keys: Sequence[str | None]
    hashes: Sequence[bytes | None]


class BalanceRow(NamedTuple):
    """A workspace's balance as it is after a batch; `number` is the workspace's place among the arguments, from 1."""

    number: int
    available: int
    held: int
    sequence: int
    version: int


class State(NamedTuple):
    """The rows that applying movements needs, as JSON; `holds` carry their `portions` (grant id, amount)."""

    balances: list[Json]
    replays: list[Json]
    holds: list[Json]
    grants: list[Json]


class Wanted(NamedTuple):
    """What to lock and read: workspaces, those that get a balance if they have none, and keys (workspace, scope, key), holds and
    purchases (workspace, id).
    """

    workspaces: Sequence[UUID]
    opening: Sequence[UUID]
    keys: Sequence[tuple[UUID, str, str]]
    holds: Sequence[tuple[UUID, UUID]]
    purchases: Sequence[tuple[UUID, UUID]]


async def spend(session: Session, arguments: SpendArguments) -> list[BalanceRow]:
    """Post plain spends the optimistic way; a workspace without a row in the answer was left as it is, for the exact way."""
    connection = await session.connection()
    return [BalanceRow._make(row) for row in await connection.exec_driver_sql(_SPEND, tuple(arguments))]


async def spend_alone(connection: Connection, arguments: SpendArguments) -> list[BalanceRow]:
    """The same as `spend`, in a transaction of its own that is this one statement."""
    rows = cast(list[tuple[Any, ...]], await connection.fetch(_SPEND, *arguments))
    return [BalanceRow._make(row) for row in rows]


async def lock_state(session: Session, wanted: Wanted, *, keys_since: datetime, may_wait: bool) -> State:
    """Lock the balances in id order and read what applying movements needs; keys older than `keys_since` are forgotten.

    With `may_wait` False, balances that another transaction has locked are left out (`SKIP LOCKED`).
    """
    connection = await session.connection()
    arguments = (
        session.now,
        keys_since,
        may_wait,
        wanted.workspaces,
        wanted.opening,
        *_columns(wanted.keys, 3),
        *_columns(wanted.holds, 2),
        *_columns(wanted.purchases, 2),
    )
    row = (await connection.exec_driver_sql(_STATE, arguments)).one()
    return State(*(column or [] for column in row))


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]


async def write(session: Session, rows: Mapping[str, Sequence[Json]]) -> None:
    """Write transactions, entries, grants, holds and balances, in one round trip, under the locks of `lock_state`."""
    # ids that were read from the database are the driver's own kind of UUID, which orjson does not know
    connection = await session.connection()
    await connection.exec_driver_sql(_WRITE, (session.now, orjson.dumps(rows, default=str).decode()))


async def forget_keys(session: Session, before: datetime, limit: int) -> int:
    """Forget the idempotency keys of at most `limit` transactions made before `before`; returns how many were forgotten."""
    statement = text("""
        UPDATE ledger_transactions t SET scope = NULL, idempotency_key = NULL, input_hash = NULL
        FROM (
            SELECT workspace_id, sequence FROM ledger_transactions
            WHERE at < :before AND idempotency_key IS NOT NULL
            ORDER BY workspace_id, sequence LIMIT :limit FOR UPDATE SKIP LOCKED
        ) old
        WHERE t.workspace_id = old.workspace_id AND t.sequence = old.sequence
        RETURNING t.sequence
    """)
    return len((await session.execute(statement, {"before": before, "limit": limit})).all())


async def due_workspaces(session: Session, limit: int) -> list[UUID]:
    """Workspaces, at most `limit`, where a grant has expired or a hold has lapsed by the session's time."""
    statement = text("""
        SELECT workspace_id FROM (
            (SELECT workspace_id, expires_at FROM ledger_grants
             WHERE is_open AND expires_at IS NOT NULL AND expires_at <= :now ORDER BY expires_at LIMIT :limit)
            UNION ALL
            (SELECT workspace_id, expires_at FROM ledger_holds
             WHERE closed_sequence IS NULL AND expires_at <= :now ORDER BY expires_at LIMIT :limit)
        ) due
        GROUP BY workspace_id ORDER BY min(expires_at) LIMIT :limit
    """)
    return list((await session.execute(statement, {"now": session.now, "limit": limit})).scalars())


async def set_recharge_below(session: Session, workspace_id: UUID, recharge_below: int | None) -> int:
    """Set at which balance (in steps) auto-recharge is due; returns the balance's new version."""
    statement = text("""
        INSERT INTO ledger_balances (workspace_id, available, held, sequence, version, recharge_below, updated_at)
        VALUES (:workspace_id, 0, 0, 0, 1, :recharge_below, :now)
        ON CONFLICT (workspace_id) DO UPDATE
        SET version = ledger_balances.version + 1, recharge_below = excluded.recharge_below, updated_at = excluded.updated_at
        RETURNING version
    """)
    values = {"workspace_id": workspace_id, "recharge_below": recharge_below, "now": session.now}
    return (await session.execute(statement, values)).scalar_one()


async def next_due_at(session: Session) -> datetime | None:
    """When the next grant expires or the next hold lapses; None when nothing waits."""
    statement = text("""
        SELECT least(
            (SELECT min(expires_at) FROM ledger_grants WHERE is_open AND expires_at IS NOT NULL),
            (SELECT min(expires_at) FROM ledger_holds WHERE closed_sequence IS NULL)
        )
    """)
    return await session.scalar(statement)
