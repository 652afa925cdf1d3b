"""What happens to callers that meet in the committer when callers leave, statements fail, connections die, or it closes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from app.clock import Clock
from app.db.engine import Database, Session, connect
from app.db.outbox import Hint
from app.db.unit_of_work import transact
from app.errors import Unavailable
from app.ids import uuid7
from app.ledger.chart import Source
from app.ledger.committer import Committer
from app.ledger.movements import Grant, Hold, InsufficientCredits, Key, Movement, Posted, Spend
from app.ledger.post import set_recharge_below
from tests.ledger.killed_while_posting import keyed_movement
from tests.ledger.workspace import Workspace

_ROOT = Path(__file__).parents[2]


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


def _spend(workspace: Workspace, amount: int = 1, key: str | None = None, description: str = "Use") -> Spend:
    return Spend(
        workspace_id=workspace.id,
        amount=amount,
        description=description,
        key=Key.of("deductCredits", key, amount) if key else None,
    )


async def _all(committer: Committer, movements: Sequence[Movement]) -> list[Posted | BaseException]:
    return await asyncio.gather(*map(committer.submit, movements), return_exceptions=True)


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
    answers = await _all(committer, [_spend(workspace) for _ in range(100)])
    assert all(isinstance(answer, Posted) for answer in answers)
    assert points.passed == ["ledger:before-commit", "ledger:after-commit"]


async def test_the_next_batch_forms_while_one_is_in_flight(workspace: Workspace, committer: Committer) -> None:
    await workspace.grant(1000)
    points = Points(workspace.database)
    first = asyncio.create_task(committer.submit(_spend(workspace)))
    await points.begun.wait()
    later = [asyncio.create_task(committer.submit(_spend(workspace))) for _ in range(50)]
    posted = await asyncio.gather(first, *later)
    assert [answer.transaction.sequence for answer in posted] == list(range(2, 53))
    assert points.passed.count("ledger:before-commit") == 2


async def test_answers_come_in_the_order_of_asking_within_a_workspace(
    workspace: Workspace, committer: Committer
) -> None:
    await workspace.grant(100)
    movements: list[Movement] = []
    for number in range(60):
        movements.append(_spend(workspace))
        if number % 7 == 0:
            grant = Grant(workspace_id=workspace.id, amount=1, source=Source.PROMOTION, description="Grant")
            movements.append(grant)
    answers = await _all(committer, movements)
    sequences = [answer.transaction.sequence for answer in answers if isinstance(answer, Posted)]
    assert sequences == list(range(2, len(movements) + 2))


async def test_what_one_workspace_lacks_does_not_hold_up_the_others(workspace: Workspace, committer: Committer) -> None:
    poor = Workspace(workspace.database)
    await workspace.grant(100)
    await poor.grant(2)
    nobody = Workspace(workspace.database)
    spends = [_spend(each) for _ in range(5) for each in (workspace, poor, nobody)]
    answers = await _all(committer, spends)
    posted = [
        movement.workspace_id for movement, answer in zip(spends, answers, strict=True) if isinstance(answer, Posted)
    ]
    assert (posted.count(workspace.id), posted.count(poor.id), posted.count(nobody.id)) == (5, 2, 0)


async def test_a_movement_that_the_database_refuses_fails_alone(workspace: Workspace, committer: Committer) -> None:
    await workspace.grant(10)
    # a NUL can't be stored: the whole statement fails, and then the whole exact transaction
    poisoned = _spend(workspace, description="\0")
    answers = await _all(committer, [_spend(workspace), poisoned, _spend(workspace)])
    assert [isinstance(answer, Posted) for answer in answers] == [True, False, True]
    assert (await workspace.balance()).available == 8


async def test_a_caller_that_leaves_loses_and_doubles_nothing(workspace: Workspace, committer: Committer) -> None:
    await workspace.grant(100)
    points = Points(workspace.database)
    # given one caller in flight and two that wait
    in_flight = asyncio.create_task(committer.submit(_spend(workspace, 1, "in flight")))
    await points.begun.wait()
    waiting = asyncio.create_task(committer.submit(_spend(workspace, 2, "waiting")))
    staying = asyncio.create_task(committer.submit(_spend(workspace, 4, "staying")))
    await asyncio.sleep(0)
    # when the first two leave
    in_flight.cancel()
    waiting.cancel()
    await asyncio.gather(in_flight, waiting, return_exceptions=True)
    assert (await staying).transaction.amount == -4
    # then what was on its way was done, once; what had not left was not; and asking again completes both
    assert (await workspace.balance()).available == 95
    assert (await committer.submit(_spend(workspace, 1, "in flight"))).is_replay
    assert not (await committer.submit(_spend(workspace, 2, "waiting"))).is_replay
    assert (await workspace.balance()).available == 93


async def test_a_connection_lost_before_the_commit_is_tried_again_for_those_with_a_key(workspace: Workspace) -> None:
    await _lose_the_connection(workspace, "ledger:before-commit", is_posted=False)


async def test_a_connection_lost_after_the_commit_doubles_nothing(workspace: Workspace) -> None:
    await _lose_the_connection(workspace, "ledger:after-commit", is_posted=True)


async def _lose_the_connection(workspace: Workspace, point: str, *, is_posted: bool) -> None:
    await workspace.grant(100)
    committer = Committer(workspace.database)
    lost = False

    def lose_once(passed: str) -> None:
        nonlocal lost
        if passed == point and not lost:
            lost = True
            raise ConnectionResetError

    workspace.database.fault = lose_once
    answers = await _all(committer, [_spend(workspace, 1, "a"), _spend(workspace, 2), _spend(workspace, 4, "b")])
    await committer.close()
    # those with a key know what happened; the one without is told that nobody does
    assert isinstance(answers[0], Posted)
    assert isinstance(answers[1], Unavailable)
    assert isinstance(answers[2], Posted)
    assert answers[0].is_replay is is_posted
    assert (await workspace.balance()).available == (93 if is_posted else 95)


async def test_killed_backends_under_load_lose_and_double_nothing(workspace: Workspace, server_url: str) -> None:
    # given a committer whose connections are killed again and again while callers spend, each with a key
    await workspace.grant(10_000)
    url = workspace.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    database = Database(connect(url, pool_size=3), workspace.clock)
    committer = Committer(database)
    kill = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE '%ledger_%' AND pid <> pg_backend_pid()"
    )
    outcomes: list[tuple[Spend, Posted | BaseException]] = []

    async def caller(number: int) -> None:
        for turn in range(10):
            spend = _spend(workspace, 1, f"{number}-{turn}")
            (answer,) = await _all(committer, [spend])
            outcomes.append((spend, answer))

    callers = asyncio.gather(*map(caller, range(20)))
    while not callers.done():
        async with workspace.database.read() as session:
            await session.execute(kill)
        await asyncio.sleep(0.02)
    await callers
    # when those who were told that it is unknown ask again
    failed = [spend for spend, answer in outcomes if not isinstance(answer, Posted)]
    assert {type(answer) for _, answer in outcomes} <= {Posted, Unavailable}
    await database.engine.dispose()
    assert all(isinstance(answer, Posted) for answer in await _all(committer, failed))
    await committer.close()
    await database.close()
    # then each has spent exactly once
    assert (await workspace.balance()).available == 10_000 - 200


@pytest.mark.parametrize("point", ["ledger:before-commit", "ledger:after-commit"])
@pytest.mark.parametrize("movement", ["spend", "hold"], ids=["optimistic", "exact"])
async def test_a_process_killed_at_a_commit_has_posted_once_or_not_at_all(
    workspace: Workspace, movement: str, point: str
) -> None:
    await workspace.grant(100)
    url = workspace.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    arguments = [url, str(workspace.id), movement, point]
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ledger.killed_while_posting", *arguments, cwd=_ROOT
    )
    assert await killed.wait() == -signal.SIGKILL
    # what had been committed is there, and asking again with the same key does it once
    is_posted = point == "ledger:after-commit"
    assert (await workspace.balance()).available == (99 if is_posted else 100)
    posted = await workspace.do(keyed_movement(workspace.id, movement, workspace.clock.moment))
    assert posted.is_replay is is_posted
    assert (await workspace.balance()).available == 99


async def test_without_a_database_callers_are_told_at_once() -> None:
    database = Database(connect("postgresql://nobody@127.0.0.1:1/none"), Clock())
    committer = Committer(database)
    spends: list[Movement] = [
        Spend(workspace_id=uuid7(), amount=1, description="Use", key=key)
        for key in (None, Key.of("deductCredits", "k", 1))
    ]
    answers = await _all(committer, spends)
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    await committer.close()
    await database.close()


async def test_closing_finishes_what_was_taken_and_takes_no_more(workspace: Workspace) -> None:
    await workspace.grant(100)
    committer = Committer(workspace.database)
    callers = [asyncio.create_task(committer.submit(_spend(workspace))) for _ in range(20)]
    await asyncio.sleep(0)
    await committer.close()
    assert all(caller.done() for caller in callers)
    assert (await workspace.balance()).available == 80
    with pytest.raises(Unavailable):
        await committer.submit(_spend(workspace))


async def test_hints_are_published_after_the_commit_and_gather_while_one_is_sent(workspace: Workspace) -> None:
    await workspace.grant(100)
    recorder = Recorder()
    workspace.database.hints = recorder
    recorder.may_go_on.clear()
    committer = Committer(workspace.database)
    for _ in range(5):
        await committer.submit(_spend(workspace))
    recorder.may_go_on.set()
    await committer.close()
    hint = ("credit_balance", workspace.id, workspace.id)
    assert [[(h.topic, h.workspace_id, h.object_id) for h in hints] for hints in recorder.published] == [[hint], [hint]]
    assert [hints[0].version for hints in recorder.published] == [2, 6]


async def test_a_balance_lowered_to_its_mark_is_looked_at_in_the_same_transaction(workspace: Workspace) -> None:
    await workspace.grant(100)
    await transact(workspace.database, lambda session: set_recharge_below(session, workspace.id, 50))
    low: list[UUID] = []

    async def on_low(session: Session, workspace_ids: Sequence[UUID]) -> None:
        available = text("SELECT available FROM ledger_balances WHERE workspace_id = :id")
        assert (await session.execute(available, {"id": workspace_ids[0]})).scalar_one() <= 50
        low.extend(workspace_ids)

    committer = Committer(workspace.database, on_low=on_low)
    await committer.submit(_spend(workspace, 49))
    assert low == []
    await committer.submit(_spend(workspace, 1))
    assert low == [workspace.id]
    hold = Hold(workspace_id=workspace.id, amount=1, expires_at=workspace.in_time(minutes=1), description="Job")
    await committer.submit(hold)
    assert low == [workspace.id] * 2
    # a refused movement, and one that raises the balance, are no reason to look
    with pytest.raises(InsufficientCredits):
        await committer.submit(_spend(workspace, 1000))
    await committer.submit(Grant(workspace_id=workspace.id, amount=1, source=Source.PROMOTION, description="Grant"))
    assert low == [workspace.id] * 2
    await committer.close()


async def test_what_fails_while_looking_at_a_low_balance_posts_nothing(workspace: Workspace) -> None:
    await workspace.grant(100)
    await transact(workspace.database, lambda session: set_recharge_below(session, workspace.id, 50))

    async def on_low(session: Session, workspace_ids: Sequence[UUID]) -> None:
        raise ValueError("no decision")

    committer = Committer(workspace.database, on_low=on_low)
    with pytest.raises(ValueError, match="no decision"):
        await committer.submit(_spend(workspace, 60))
    await committer.close()
    assert (await workspace.balance()).available == 100


async def test_expiry_and_spending_lower_a_balance_to_its_mark_but_a_clawback_does_not(workspace: Workspace) -> None:
    purchase = await workspace.buy(60, expires_at=workspace.in_time(days=1))
    await workspace.grant(40)
    await transact(workspace.database, lambda session: set_recharge_below(session, workspace.id, 50))
    assert not (await workspace.claw_back(purchase, 55)).is_low
    assert (await workspace.spend(1)).is_low
    workspace.wait(days=1)
    assert (await workspace.settle_due()).low == [workspace.id]
