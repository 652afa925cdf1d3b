"""Posting movements in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from app.db.engine import Session
from app.errors import DomainError, ProtocolError
from app.idempotency import KEYS_KEPT
from app.ledger.book import Book
from app.ledger.book_rows import open_books, write_books
from app.ledger.movements import Movement, Posted, Refusal
from app.ledger.spends import plan
from app.store import ledger_posting as ledger_posting_store

TOPIC = "credit_balance"
"""The topic of the hints that a balance changed; their object is the workspace itself."""


class DuePosted(NamedTuple):
    """In how many workspaces something had fallen due, and those of them that auto-recharge must look at now."""

    workspaces: int
    low: list[UUID]


class Outcome(NamedTuple):
    """What each movement was answered, in their order, and the workspaces lowered to where auto-recharge must look at them."""

    answers: list[Posted | Refusal]
    low: list[UUID]


class Asked(NamedTuple):
    """A movement, and its place in the list it came in."""

    place: int
    movement: Movement


async def post(session: Session, movements: Sequence[Movement]) -> list[Posted | Refusal]:
    """Judge the movements in turn and post those that are allowed; each one's answer or refusal, in their order.

    A refusal changes nothing and leaves the others alone. Plain spends take one round trip; what is out of the ordinary takes two.
    Balances are locked in id order until the transaction ends: hand over all movements of a transaction in one call, after
    taking any other locks, and two callers can't wait for each other.
    """
    return (await post_watched(session, movements)).answers


async def post_watched(session: Session, movements: Sequence[Movement]) -> Outcome:
    """The same as `post`, and which workspaces auto-recharge must look at now, even where the movement itself was refused."""
    answers: dict[int, Posted | Refusal] = {}
    low: list[UUID] = []
    by_workspace: dict[UUID, list[Asked]] = {}
    for place, movement in enumerate(movements):
        by_workspace.setdefault(movement.workspace_id, []).append(Asked(place, movement))
    batch, others = plan(by_workspace.values(), session.now)
    only_spends = batch is not None and not others
    if batch is not None and only_spends:
        rows = await ledger_posting_store.spend(session, batch.arguments)
        answers.update((asked.place, posted) for asked, posted in batch.answers(rows))
        for row in rows:
            workspace_id = batch.arguments.workspaces[row.number - 1]
            session.outbox.hint(TOPIC, workspace_id, workspace_id, row.version)
    places = [place for place in range(len(movements)) if place not in answers]
    if places:
        # Balances that were there are locked by now; one that was made since may be out of order, so it is not waited for.
        judged, low = await judge(session, [movements[place] for place in places], may_wait=not only_spends)
        answers.update(zip(places, judged, strict=True))
    return Outcome([answers[place] for place in range(len(movements))], low)


async def judge(session: Session, movements: Sequence[Movement], *, may_wait: bool = True) -> Outcome:
    """Post the exact way: lock, read, judge each movement in turn, write. `post` does so by itself where it has to.

    A spend need not wait for the lock of a workspace whose first credits are on their way: it came before them.
    """
    workspace_ids = {movement.workspace_id for movement in movements}
    books = await open_books(session, workspace_ids, movements, may_wait=may_wait)
    for book in books.values():
        book.settle()
    answers: list[Posted | Refusal] = []
    for movement in movements:
        try:
            answers.append(books[movement.workspace_id].judge(movement))
        except (DomainError, ProtocolError) as refusal:
            answers.append(refusal)
    return Outcome(answers, await _write(session, books.values()))


async def post_one(session: Session, movement: Movement) -> Posted:
    """Post one movement.

    Raises what refuses it: `InsufficientCredits`, `HoldClosed`, `IdempotencyConflict`, `InvalidInput` or `NotFound`.
    """
    (answer,) = await post(session, [movement])
    if isinstance(answer, Posted):
        return answer
    raise answer


async def post_due(session: Session, limit: int = 500) -> DuePosted:
    """Do what fell due by the session's time: lapsed holds return, expired grants go, a transaction for each.

    At most `limit` workspaces: call again until it answers that none was left.
    """
    workspace_ids = await ledger_posting_store.due_workspaces(session, limit)
    if not workspace_ids:
        return DuePosted(0, [])
    books = await open_books(session, workspace_ids, [])
    for book in books.values():
        book.settle()
    low = await _write(session, books.values())
    return DuePosted(len(books), low)


async def forget_keys(session: Session, limit: int = 1000) -> int:
    """Forget idempotency keys that are older than 90 days, at most `limit`; returns how many were."""
    return await ledger_posting_store.forget_keys(session, session.now - KEYS_KEPT, limit)


async def set_recharge_below(session: Session, workspace_id: UUID, recharge_below: int | None) -> int:
    """From now on a balance that falls to `recharge_below` steps or less is answered as low; None: never.

    Returns the balance's new version.
    """
    version = await ledger_posting_store.touch(session, workspace_id, recharge_below)
    session.outbox.hint(TOPIC, workspace_id, workspace_id, version)
    return version


async def _write(session: Session, books: Iterable[Book]) -> list[UUID]:
    """Write the books and hint at those that changed; returns those that are low."""
    changed = await write_books(session, books)
    for book in changed:
        session.outbox.hint(TOPIC, book.workspace_id, book.workspace_id, book.version)
    return sorted(book.workspace_id for book in changed if book.is_low)
