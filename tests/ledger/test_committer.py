"""What happens to callers that meet in the committer when callers leave, statements fail, connections die, or it closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
import pytest_asyncio

from app.db.engine import Database
from app.db.outbox import Hint
from app.errors import Unavailable
from app.ledger.chart_of_accounts import Source
from app.ledger.committer import Committer
from app.ledger.movements import Grant, Movement, Posted
from app.ledger.post_movements import post
from tests.ledger.callers import spend, submit_all
from tests.ledger.workspace import Workspace


class Recorder:
    """A transport that remembers what was published, and takes its time if told to."""

    transactional_channel: str | None = None

    def __init__(self) -> None:
        self.published: list[list[Hint]] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    def encode(self, hints: Sequence[Hint]) -> list[str]:
        return []

    async def publish(self, hints: Sequence[Hint]) -> None:
        self.published.append(list(hints))
        await self.may_go_on.wait()


@pytest_asyncio.fixture
async def committer(workspace: Workspace) -> AsyncGenerator[Committer]:
    made = Committer(workspace.database)
    yield made
    await made.close()


class Points:
    """The points that commits of the ledger pass, as they are passed."""

    def __init__(self, database: Database) -> None:
        self.passed: list[str] = []
        self.begun = asyncio.Event()
        database.fault = self._pass

    def _pass(self, point: str) -> None:
        self.passed.append(point)
        self.begun.set()


async def test_callers_at_once_are_posted_by_one_statement(workspace: Workspace, committer: Committer) -> None:
    await workspace.grant(1000)
    points = Points(workspace.database)
    answers = await submit_all(committer, [spend(workspace) for _ in range(100)])
    assert all(isinstance(answer, Posted) for answer in answers)
    assert points.passed == ["ledger:before-commit", "ledger:after-commit"]


async def test_the_next_batch_forms_while_one_is_in_flight(workspace: Workspace, committer: Committer) -> None:
    await workspace.grant(1000)
    points = Points(workspace.database)
    first = asyncio.create_task(committer.submit(spend(workspace)))
    await points.begun.wait()
    later = [asyncio.create_task(committer.submit(spend(workspace))) for _ in range(50)]
    posted = await asyncio.gather(first, *later)
    assert [answer.transaction.sequence for answer in posted] == list(range(2, 53))
    assert points.passed.count("ledger:before-commit") == 2


async def test_a_workspace_that_waits_for_its_lock_does_not_hold_up_those_that_come_later(
    workspace: Workspace, committer: Committer
) -> None:
    other = Workspace(workspace.database)
    await workspace.grant(100)
    await other.grant(100)
    points = Points(workspace.database)
    async with workspace.database.session() as holding:
        await post(holding, [spend(workspace)])
        stuck = [asyncio.create_task(committer.submit(spend(workspace))) for _ in range(2)]
        await points.begun.wait()
        behind = asyncio.create_task(committer.submit(spend(workspace)))
        await committer.submit(spend(other))
        assert not any(task.done() for task in (*stuck, behind))
        await holding.rollback()
    posted = await asyncio.gather(*stuck, behind)
    assert [answer.transaction.sequence for answer in posted] == [2, 3, 4]


async def test_callers_that_come_back_at_once_are_never_forgotten(workspace: Workspace, committer: Committer) -> None:
    owners = [Workspace(workspace.database) for _ in range(40)]
    for owner in owners:
        await owner.grant(100)

    async def caller(number: int) -> None:
        for turn in range(20):
            await committer.submit(spend(owners[(number * 7 + turn) % len(owners)]))

    # the limit only turns a caller that waits for ever into a failure
    await asyncio.wait_for(asyncio.gather(*map(caller, range(64))), timeout=60)
    assert sum([(await owner.balance()).available for owner in owners]) == 40 * 100 - 64 * 20


async def test_a_batch_has_a_largest_size_and_the_rest_follows_in_order(
    workspace: Workspace, committer: Committer
) -> None:
    await workspace.grant(1000)
    points = Points(workspace.database)
    answers = await submit_all(committer, [spend(workspace) for _ in range(600)])
    sequences = [answer.transaction.sequence for answer in answers if isinstance(answer, Posted)]
    assert sequences == list(range(2, 602))
    assert points.passed.count("ledger:after-commit") == 3


async def test_answers_come_in_the_order_of_asking_within_a_workspace(
    workspace: Workspace, committer: Committer
) -> None:
    await workspace.grant(100)
    movements: list[Movement] = []
    for number in range(60):
        movements.append(spend(workspace))
        if number % 7 == 0:
            grant = Grant(workspace_id=workspace.id, amount=1, source=Source.PROMOTION, description="Grant")
            movements.append(grant)
    answers = await submit_all(committer, movements)
    sequences = [answer.transaction.sequence for answer in answers if isinstance(answer, Posted)]
    assert sequences == list(range(2, len(movements) + 2))


async def test_what_one_workspace_lacks_does_not_hold_up_the_others(workspace: Workspace, committer: Committer) -> None:
    poor = Workspace(workspace.database)
    await workspace.grant(100)
    await poor.grant(2)
    nobody = Workspace(workspace.database)
    spends = [spend(each) for _ in range(5) for each in (workspace, poor, nobody)]
    answers = await submit_all(committer, spends)
    posted = [
        movement.workspace_id for movement, answer in zip(spends, answers, strict=True) if isinstance(answer, Posted)
    ]
    assert (posted.count(workspace.id), posted.count(poor.id), posted.count(nobody.id)) == (5, 2, 0)


async def test_a_movement_that_the_database_refuses_fails_alone(workspace: Workspace, committer: Committer) -> None:
    await workspace.grant(10)
    # a NUL can't be stored: the whole statement fails, and then the whole exact transaction
    poisoned = spend(workspace, description="\0")
    answers = await submit_all(committer, [spend(workspace), poisoned, spend(workspace)])
    assert [isinstance(answer, Posted) for answer in answers] == [True, False, True]
    assert (await workspace.balance()).available == 8


async def test_a_caller_that_leaves_loses_and_doubles_nothing(workspace: Workspace, committer: Committer) -> None:
    await workspace.grant(100)
    points = Points(workspace.database)
    # given one caller in flight and two that wait
    in_flight = asyncio.create_task(committer.submit(spend(workspace, 1, "in flight")))
    await points.begun.wait()
    waiting = asyncio.create_task(committer.submit(spend(workspace, 2, "waiting")))
    staying = asyncio.create_task(committer.submit(spend(workspace, 4, "staying")))
    await asyncio.sleep(0)
    # when the first two leave
    in_flight.cancel()
    waiting.cancel()
    await asyncio.gather(in_flight, waiting, return_exceptions=True)
    assert (await staying).transaction.amount == -4
    # then what was on its way was done, once; what had not left was not; and asking again completes both
    assert (await workspace.balance()).available == 95
    assert (await committer.submit(spend(workspace, 1, "in flight"))).is_replay
    assert not (await committer.submit(spend(workspace, 2, "waiting"))).is_replay
    assert (await workspace.balance()).available == 93


async def test_closing_finishes_what_was_taken_and_takes_no_more(workspace: Workspace) -> None:
    await workspace.grant(100)
    committer = Committer(workspace.database)
    callers = [asyncio.create_task(committer.submit(spend(workspace))) for _ in range(20)]
    await asyncio.sleep(0)
    await committer.close()
    assert all(caller.done() for caller in callers)
    assert (await workspace.balance()).available == 80
    with pytest.raises(Unavailable):
        await committer.submit(spend(workspace))


async def test_hints_are_published_after_the_commit_and_gather_while_one_is_sent(workspace: Workspace) -> None:
    await workspace.grant(100)
    recorder = Recorder()
    workspace.database.hints = recorder
    recorder.may_go_on.clear()
    committer = Committer(workspace.database)
    for _ in range(5):
        await committer.submit(spend(workspace))
    recorder.may_go_on.set()
    await committer.close()
    hint = ("credit_balance", workspace.id, workspace.id)
    assert [[(h.topic, h.workspace_id, h.object_id) for h in hints] for hints in recorder.published] == [[hint], [hint]]
    assert [hints[0].version for hints in recorder.published] == [2, 6]
