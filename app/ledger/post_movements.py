"""Posting movements of credits in the caller's transaction: many, one, or those that fell due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from app.db.engine import Session
from app.errors import DomainError, ProtocolError
from app.idempotency import KEYS_KEPT
from app.ledger.locked_balance import LockedBalance
from app.ledger.locked_balance_rows import lock_balances, write_balances
from app.ledger.movements import Movement, Posted, Refusal, Spend
from app.ledger.spend_batches import split_spends
from app.store import ledger_posting as ledger_posting_store

TOPIC = "credit_balance"
"""The topic of the hints that a balance changed; their object is the workspace itself."""


class DuePosted(NamedTuple):
    """In how many workspaces something had fallen due, and those of them whose balance is low now (see `LockedBalance.is_low`)."""

    workspaces: int
    low: list[UUID]


class BatchResult(NamedTuple):
    """The result or refusal of each movement, in their order, and the workspaces whose balance is low now."""

    results: list[Posted | Refusal]
    low: list[UUID]


class IndexedMovement(NamedTuple):
    """A movement, and its position in the list that was passed."""

    position: int
    movement: Movement


async def post(session: Session, movements: Sequence[Movement]) -> list[Posted | Refusal]:
    """Apply the movements in turn and post those that are allowed; returns the result or refusal of each, in their order.

    A refused movement changes nothing and does not stop the others. Plain spends take one round trip to the database, all other
    movements two. Balances are locked in id order until the transaction ends. To rule out deadlocks, take all other locks first and
    pass all movements of a transaction in one call.
    """
    results: dict[int, Posted | Refusal] = {}
    by_workspace: dict[UUID, list[IndexedMovement]] = {}
    for index, movement in enumerate(movements):
        by_workspace.setdefault(movement.workspace_id, []).append(IndexedMovement(index, movement))
    batch, others = split_spends(by_workspace.values(), session.now)
    only_spends = batch is not None and not others
    if batch is not None and only_spends:
        rows = await ledger_posting_store.spend(session, batch.arguments)
        results.update((indexed.position, posted) for indexed, posted in batch.results(rows))
        for row in rows:
            workspace_id = batch.arguments.workspaces[row.number - 1]
            session.outbox.hint(TOPIC, workspace_id, workspace_id, row.version)
    unposted = [index for index in range(len(movements)) if index not in results]
    if unposted:
        # The statement has locked all balances there were. One made since would be locked out of id order, so it is not waited for.
        exact = await post_exactly(session, [movements[index] for index in unposted], may_wait=not only_spends)
        results.update(zip(unposted, exact.results, strict=True))
    return [results[index] for index in range(len(movements))]


async def post_exactly(session: Session, movements: Sequence[Movement], *, may_wait: bool = True) -> BatchResult:
    """Post the exact way: lock the balances, read, apply each movement in turn, write. `post` falls back to this where it must.

    With `may_wait` False a balance that another transaction has locked counts as not there. That is right for spends of a workspace
    whose first credits are being posted at this moment: the spend came before them.
    """
    workspace_ids = {movement.workspace_id for movement in movements}
    balances = await lock_balances(session, workspace_ids, movements, may_wait=may_wait)
    for balance in balances.values():
        balance.apply_due()
    results: list[Posted | Refusal] = []
    for movement in movements:
        try:
            results.append(balances[movement.workspace_id].apply(movement))
        except (DomainError, ProtocolError) as refusal:
            results.append(refusal)
    return BatchResult(results, await _write(session, balances.values()))


async def post_one(session: Session, movement: Movement) -> Posted:
    """Post one movement.

    Raises the refusal, if it is refused: `InsufficientCredits`, `HoldClosed`, `IdempotencyConflict`, `InvalidInput`, `Conflict` or
    `NotFound`.
    """
    (result,) = await post(session, [movement])
    if isinstance(result, Posted):
        return result
    raise result


async def spend_what_there_is(session: Session, spends: Sequence[Spend]) -> list[int]:
    """Spend in turn as far as each workspace's credits go; returns how many steps of each were spent.

    The balances are locked in id order until the transaction ends.
    """
    if not spends:
        return []
    balances = await lock_balances(session, {spend.workspace_id for spend in spends}, [])
    for balance in balances.values():
        balance.apply_due()
    spent: list[int] = []
    for spend in spends:
        balance = balances[spend.workspace_id]
        amount = min(spend.amount, max(balance.available, 0))
        if amount:
            balance.apply(replace(spend, amount=amount))
        spent.append(amount)
    await _write(session, balances.values())
    return spent


async def post_due(session: Session, limit: int = 500) -> DuePosted:
    """Post what fell due by the session's time, a transaction for each: lapsed holds are released, expired grants are written off.

    At most `limit` workspaces: call again until it returns that there were none.
    """
    workspace_ids = await ledger_posting_store.due_workspaces(session, limit)
    if not workspace_ids:
        return DuePosted(0, [])
    balances = await lock_balances(session, workspace_ids, [])
    for balance in balances.values():
        balance.apply_due()
    low = await _write(session, balances.values())
    return DuePosted(len(balances), low)


async def forget_keys(session: Session, limit: int = 1000) -> int:
    """Forget idempotency keys that are older than `KEYS_KEPT`, at most `limit`; returns how many were forgotten."""
    return await ledger_posting_store.forget_keys(session, session.now - KEYS_KEPT, limit)


async def set_recharge_below(session: Session, workspace_id: UUID, recharge_below: int | None) -> int:
    """From now on a balance that falls to `recharge_below` steps or less counts as low; None: never.

    Returns the balance's new version.
    """
    version = await ledger_posting_store.set_recharge_below(session, workspace_id, recharge_below)
    session.outbox.hint(TOPIC, workspace_id, workspace_id, version)
    return version


async def _write(session: Session, balances: Iterable[LockedBalance]) -> list[UUID]:
    """Write the balances that changed and leave a hint for each; returns the workspaces whose balance is low."""
    changed = await write_balances(session, balances)
    for balance in changed:
        session.outbox.hint(TOPIC, balance.workspace_id, balance.workspace_id, balance.version)
    return sorted(balance.workspace_id for balance in changed if balance.is_low)
