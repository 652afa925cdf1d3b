"""What falls due: each thing on its own, whatever becomes of the others."""

from __future__ import annotations

from uuid import UUID

from app.db.engine import Session
from app.ids import uuid7
from app.jobs.schedule import DueWork, each_alone, run_due


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
