"""What falls due: each thing on its own, whatever becomes of the others."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from app.db.engine import Database, Session
from app.ids import uuid7
from app.jobs.schedule import DueWork, due_by_now, each_alone, run_due


async def test_one_thing_that_fails_does_not_keep_the_others_from_their_turn() -> None:
    due = [(uuid7(), uuid7()) for _ in range(3)]
    worked: list[UUID] = []

    async def work(_workspace_id: UUID, object_id: UUID) -> None:
        if object_id == due[0][1]:
            raise LookupError("broken")
        worked.append(object_id)

    assert await each_alone("things", due, work) == 2
    assert worked == [object_id for _, object_id in due[1:]]


async def test_one_kind_of_work_that_fails_does_not_keep_the_others_from_their_turn() -> None:
    left = [3]

    async def nothing(_session: Session) -> None:
        return None

    async def fail() -> int:
        raise LookupError("broken")

    async def work() -> int:
        done, left[0] = left[0], 0
        return done

    assert await run_due([DueWork("broken", nothing, fail), DueWork("whole", nothing, work)]) == 3


async def test_only_work_that_may_be_due_is_looked_at(database: Database) -> None:
    async def now(session: Session) -> datetime:
        return session.now

    async def later(session: Session) -> datetime:
        return session.now + timedelta(seconds=1)

    async def never(_session: Session) -> None:
        return None

    async def work() -> int:
        return 0

    works = [
        DueWork("due", now, work),
        DueWork("not due yet", later, work),
        DueWork("with nothing that waits", never, work),
        DueWork("without due times", None, work),
        DueWork("that has more than its due times tell", later, work, looks_always=True),
    ]

    assert [each.name for each in await due_by_now(database, works)] == [
        "due",
        "without due times",
        "that has more than its due times tell",
    ]
