"""Spends and holds name what and whom they are for, and the books of servers that don't know of it agree with ours."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.db.reads import Reads
from app.db.tables.ledger import LedgerGrantRow
from app.ids import uuid7
from app.ledger import ledger_reads
from app.ledger.chart_of_accounts import Kind
from app.ledger.committer import Committer
from app.ledger.entries import transaction_digest
from app.ledger.movements import Key, Posted, Spend
from tests.ledger.callers import submit_all
from tests.ledger.workspace import START, Workspace

_ADA, _BOB = uuid7(), uuid7()


async def test_a_spend_keeps_its_subject_and_a_replay_answers_with_it(workspace: Workspace) -> None:
    await workspace.grant(10)
    key = Key.of("deductCredits", "k", 3)

    first = await workspace.spend(3, subject_id=_ADA, key=key)
    await workspace.spend(1)

    assert first.transaction.subject_id == _ADA
    assert (await workspace.spend(3, subject_id=_ADA, key=key)).transaction == first.transaction
    assert await workspace.uses() == [(None, None), ("runs", _ADA), ("runs", None)]


async def test_spends_of_one_batch_keep_each_its_own_subject(workspace: Workspace) -> None:
    # given grants of which no single one covers them all, so that part of them is split
    for _ in range(3):
        await workspace.grant(20)
    subjects = [None, _ADA, _BOB] * 18
    committer = Committer(workspace.database)

    answers = await submit_all(
        committer,
        [
            Spend(workspace_id=workspace.id, amount=1, description=f"{number}", subject_id=subject)
            for number, subject in enumerate(subjects)
        ],
    )
    await committer.close()

    assert [answer.transaction.subject_id for answer in answers if isinstance(answer, Posted)] == subjects
    assert [subject for _, subject in await workspace.uses()][3:] == subjects


async def test_what_ends_a_hold_carries_what_and_whom_it_is_for(workspace: Workspace) -> None:
    await workspace.grant(10)
    captured = await workspace.hold(2, resource="runs", subject_id=_ADA)
    released = await workspace.hold(2, resource="seats", subject_id=_BOB)
    await workspace.hold(2, minutes=1, subject_id=_BOB)
    plain = await workspace.hold(2)

    await workspace.capture(captured, 1)
    await workspace.release(released)
    await workspace.capture(plain, 2)
    workspace.wait(minutes=1)
    await workspace.settle_due()

    ends = [("runs", _ADA), ("seats", _BOB), (None, None), (None, _BOB)]
    assert await workspace.uses() == [
        (None, None),
        ("runs", _ADA),
        ("seats", _BOB),
        (None, _BOB),
        (None, None),
        *ends,
    ]


async def test_a_replayed_capture_answers_with_what_and_whom_its_hold_was_for(workspace: Workspace) -> None:
    await workspace.grant(10)
    hold = await workspace.hold(2, resource="runs", subject_id=_ADA)
    key = Key.of("captureHold", "k", 1)

    first = await workspace.capture(hold, 1, key=key)

    assert (await workspace.capture(hold, 1, key=key)).transaction == first.transaction
    assert (first.transaction.resource, first.transaction.subject_id) == ("runs", _ADA)
    found = await ledger_reads.transaction(Reads(workspace.database), workspace.id, first.transaction.id)
    assert found == first.transaction


def test_a_digest_without_a_subject_is_what_it_was_before_there_were_subjects() -> None:
    workspace_id, at = UUID(int=1), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def digest(subject_id: UUID | None = None, *details: UUID | str | None) -> str:
        given = details or ("runs", None, None)
        return transaction_digest(workspace_id, Kind.USAGE, -5, "Use", at, *given, subject_id=subject_id).hex()

    assert digest() == "5dbcd6c9881ccd7233aa2ec8c9b46f94"
    assert len({digest(), digest(_ADA), digest(_BOB), digest(None, "runs", None, _ADA)}) == 4


async def test_a_server_of_the_version_before_spends_and_captures_beside_a_new_one(workspace: Workspace) -> None:
    await workspace.grant(20)
    hold = await workspace.hold(5, resource="runs", subject_id=_ADA)
    # given a spend by the function, and the end of a hold by the rows, that the version before wrote
    seal = transaction_digest(workspace.id, Kind.USAGE, -3, "Old", START, "runs", None, None)
    ended = transaction_digest(workspace.id, Kind.CAPTURE, 3, "Job", START, None, None, hold)
    spend = (START, [workspace.id], [3], [1], [1], [3], [3], ["Old"], ["runs"], [seal], [None], [None], [None])
    async with workspace.database.engine.begin() as connection:
        charge = "SELECT available FROM ledger_charge($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        assert (await connection.exec_driver_sql(charge, spend)).scalar_one() == 12
        of_workspace = select(LedgerGrantRow.id).where(LedgerGrantRow.workspace_id == workspace.id)
        grant = str(await connection.scalar(of_workspace))
        key = {"workspace_id": str(workspace.id)}
        moved = {"kind": "CAPTURE", "amount": 3, "balance_after": 15, "held_delta": -5, "held_after": 0}
        lines = [("USAGE", None, 2), ("HELD", grant, -5), ("AVAILABLE", grant, 3)]
        book = {
            "transactions": [
                {**key, **moved, "sequence": 4, "description": "Job", "hold_id": str(hold), "seal": ended.hex()}
            ],
            "entries": [
                {
                    **key,
                    "sequence": 4,
                    "line": line,
                    "account": account,
                    "grant_id": each,
                    "amount": amount,
                }
                for line, (account, each, amount) in enumerate(lines)
            ],
            "touched_grants": [{**key, "id": grant, "remaining": 15}],
            "closed_holds": [{**key, "id": str(hold), "captured": 2, "closed_sequence": 4}],
            "balances": [{**key, "available": 15, "held": 0, "sequence": 4, "version": 4}],
        }
        await connection.exec_driver_sql("SELECT ledger_write($1, $2)", (START, orjson.dumps(book).decode()))

    # then the books are sound, which the fixture proves, and a new server goes on
    await workspace.spend(1, subject_id=_BOB)
    assert await workspace.uses() == [(None, None), ("runs", _ADA), ("runs", None), (None, None), ("runs", _BOB)]


async def test_what_a_hold_is_for_is_never_changed(workspace: Workspace) -> None:
    await workspace.grant(5)
    await workspace.hold(1, resource="runs", subject_id=_ADA)
    for column in ("resource", "subject_id"):
        with pytest.raises(DBAPIError, match="append only"):
            async with workspace.database.engine.begin() as connection:
                await connection.execute(
                    text(f"UPDATE ledger_holds SET {column} = NULL WHERE workspace_id = :w"), {"w": workspace.id}
                )
