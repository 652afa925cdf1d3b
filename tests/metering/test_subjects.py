"""A subject has one id in its workspace, whoever names it first."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from app.db.engine import Database
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from app.ids import uuid7
from app.metering.subjects import checked_subject, subject_ids
from app.store import usage_subjects as usage_subject_store
from app.store.usage_subjects import Subject
from tests.support.accounts import new_person


async def _workspace(database: Database) -> UUID:
    return (await new_person(database)).user.personal_workspace_id


async def _ids(database: Database, *names: tuple[UUID, str]) -> dict[tuple[UUID, str], UUID]:
    return await transact(database, lambda session: subject_ids(session, names))


async def _forget(database: Database, workspace_id: UUID, name: str) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(
            text("DELETE FROM usage_subjects WHERE workspace_id = :w AND name = :n"), {"w": workspace_id, "n": name}
        )


async def _until_somebody_waits(database: Database) -> None:
    """Return once another statement on subjects waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%usage_subjects%'"
    )
    while True:
        async with database.read() as session:
            if await session.scalar(waiting):
                return
        await asyncio.sleep(0.01)


async def test_a_subject_keeps_its_id(database: Database) -> None:
    workspace_id = await _workspace(database)
    first = await _ids(database, (workspace_id, "ada"), (workspace_id, "bob"))
    again = await _ids(database, (workspace_id, "bob"), (workspace_id, "cy"), (workspace_id, "ada"))
    assert {name: again[workspace_id, name] for name in ("ada", "bob")} == {
        name: first[workspace_id, name] for name in ("ada", "bob")
    }
    assert len(set(again.values())) == 3


async def test_subjects_of_two_workspaces_with_one_name_are_two(database: Database) -> None:
    one, other = await _workspace(database), await _workspace(database)
    found = await _ids(database, (one, "ada"), (other, "ada"), (one, "ada"))
    assert set(found) == {(one, "ada"), (other, "ada")}
    assert found[one, "ada"] != found[other, "ada"]


async def test_names_are_told_apart_by_case_and_every_character(database: Database) -> None:
    workspace_id = await _workspace(database)
    names = ("ada", "Ada", "ADA", "áda", "a\u0301da", "🤖" * 64, "🤖" * 63)
    found = await _ids(database, *((workspace_id, name) for name in names))
    assert len(set(found.values())) == len(names)


async def test_of_fifty_callers_at_once_all_get_the_same_ids(database: Database) -> None:
    workspace_id = await _workspace(database)
    names = [(workspace_id, f"agent {number}") for number in range(20)]

    async def ask(turn: int) -> dict[tuple[UUID, str], UUID]:
        return await _ids(database, *(names[turn % 20 :] + names[: turn % 20]))

    answers = await asyncio.gather(*map(ask, range(50)))
    assert len(answers[0]) == 20
    assert all(answer == answers[0] for answer in answers)


async def test_a_subject_that_was_erased_gets_a_new_id(database: Database) -> None:
    workspace_id = await _workspace(database)
    before = await _ids(database, (workspace_id, "ada"))
    await _forget(database, workspace_id, "ada")
    assert await _ids(database, (workspace_id, "ada")) != before


async def test_a_subject_that_is_named_while_it_is_erased_gets_a_new_id(database: Database) -> None:
    workspace_id = await _workspace(database)
    key = (workspace_id, "ada")
    before = (await _ids(database, key))[key]
    async with database.engine.connect() as eraser:
        await eraser.execute(text("DELETE FROM usage_subjects WHERE workspace_id = :w"), {"w": workspace_id})
        # given one that does not see the row any more, and so adds it, which waits for the erasure
        adding = asyncio.create_task(
            transact(
                database, lambda session: usage_subject_store.add(session, [Subject(workspace_id, uuid7(), "ada")])
            )
        )
        await _until_somebody_waits(database)
        await eraser.commit()
    (added,) = await adding
    assert added.id != before
    assert (await _ids(database, key))[key] == added.id


async def test_of_a_workspace_that_is_gone_there_are_no_subjects(database: Database) -> None:
    workspace_id, gone = await _workspace(database), uuid7()
    assert set(await _ids(database, (gone, "ada"), (workspace_id, "ada"))) == {(workspace_id, "ada")}
    assert await _ids(database) == {}


def test_a_subject_has_1_to_64_characters_without_the_blanks_around_it() -> None:
    assert checked_subject(None) is None
    assert checked_subject("  user_17 ") == "user_17"
    assert checked_subject("🤖" * 64) == "🤖" * 64
    assert checked_subject("a" * 64 + "  ") == "a" * 64
    for name in ("", "   ", "\u200b", "a" * 65, "🤖" * 65, "a\x00b", "a\nb", "a\u202eb", "\u3164"):
        with pytest.raises(InvalidInput) as refused:
            checked_subject(name, path=("input", "subject"))
        assert refused.value.path == ("input", "subject")
