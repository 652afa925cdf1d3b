"""Many callers at once: nothing is lost, nothing is doubled, nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import pytest
from sqlalchemy import text

from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.errors import IdempotencyConflict
from app.ledger.chart_of_accounts import Source
from app.ledger.committer import Committer
from app.ledger.movements import (
    Grant,
    Hold,
    HoldClosed,
    InsufficientCredits,
    Key,
    Movement,
    Posted,
    Refusal,
    Release,
    Spend,
)
from app.ledger.post_movements import post
from tests.ledger.workspace import Workspace


async def _through_one_committer(workspace: Workspace, movements: Sequence[Movement]) -> list[Posted | BaseException]:
    committer = Committer(workspace.database)
    try:
        return await asyncio.gather(*map(committer.submit, movements), return_exceptions=True)
    finally:
        await committer.close()


async def _through_two_committers(workspace: Workspace, movements: Sequence[Movement]) -> list[Posted | BaseException]:
    """As two processes would: half of the callers meet in each."""
    halves = await asyncio.gather(
        _through_one_committer(workspace, movements[::2]), _through_one_committer(workspace, movements[1::2])
    )
    return [*halves[0], *halves[1]]


async def _each_in_its_own_transaction(
    workspace: Workspace, movements: Sequence[Movement]
) -> list[Posted | BaseException]:
    return await asyncio.gather(*map(workspace.do, movements), return_exceptions=True)


Way: TypeAlias = Callable[[Workspace, Sequence[Movement]], Awaitable[list[Posted | BaseException]]]
_WAYS = pytest.mark.parametrize(
    "way", [_through_one_committer, _through_two_committers, _each_in_its_own_transaction], ids=lambda way: way.__name__
)


@_WAYS
async def test_of_200_deductions_of_1_against_100_exactly_100_succeed(workspace: Workspace, way: Way) -> None:
    await workspace.grant(60, expires_at=workspace.in_time(days=1))
    await workspace.grant(40)
    spends = [
        Spend(workspace_id=workspace.id, amount=1, description="Use", key=Key.of("deductCredits", str(number), 1))
        for number in range(200)
    ]
    answers = await way(workspace, spends)
    assert Counter(map(type, answers)) == {Posted: 100, InsufficientCredits: 100}
    assert (await workspace.balance()).available == 0
    # `history` asserts that sequences have no gaps
    history = await workspace.history()
    assert [line[2] for line in history[2:]] == list(range(99, -1, -1))


@_WAYS
async def test_50_callers_with_one_key_have_one_effect_and_50_equal_answers(workspace: Workspace, way: Way) -> None:
    await workspace.grant(100)
    spend = Spend(workspace_id=workspace.id, amount=7, description="Use", key=Key.of("deductCredits", "k", 7))
    answers = await way(workspace, [spend] * 50)
    posted = [answer for answer in answers if isinstance(answer, Posted)]
    assert len(posted) == 50
    assert {answer.transaction for answer in posted} == {posted[0].transaction}
    assert sum(not answer.is_replay for answer in posted) == 1
    assert await workspace.history() == [("BONUS", 100, 100, 0), ("USAGE", -7, 93, 0)]


@_WAYS
async def test_one_key_with_two_inputs_at_once_lets_one_win(workspace: Workspace, way: Way) -> None:
    await workspace.grant(100)
    spends = [
        Spend(workspace_id=workspace.id, amount=amount, description="Use", key=Key.of("deductCredits", "k", amount))
        for amount in (1, 2) * 10
    ]
    answers = await way(workspace, spends)
    assert Counter(map(type, answers)) == {Posted: 10, IdempotencyConflict: 10}
    assert len(await workspace.history()) == 2


@_WAYS
async def test_a_hold_is_closed_once_by_whoever_comes_first(workspace: Workspace, way: Way) -> None:
    await workspace.grant(10)
    hold = await workspace.hold(10)
    releases = [Release(workspace_id=workspace.id, hold_id=hold) for _ in range(20)]
    answers = await way(workspace, releases)
    assert Counter(map(type, answers)) == {Posted: 1, HoldClosed: 19}
    assert (await workspace.balance()).available == 10


async def test_first_grants_of_a_new_workspace_at_once_are_all_there(workspace: Workspace) -> None:
    grants = [
        Grant(workspace_id=workspace.id, amount=1, source=Source.PROMOTION, description="Grant") for _ in range(20)
    ]
    await _each_in_its_own_transaction(workspace, grants)
    assert (await workspace.balance()).available == 20


@pytest.mark.parametrize("only_spends", [True, False])
async def test_a_balance_made_while_waiting_for_another_is_not_touched_without_its_lock(
    workspace: Workspace, only_spends: bool
) -> None:
    # given a caller that waits for the lock of one workspace and wants another that has nothing yet
    database = workspace.database
    first, new = sorted((Workspace(database), Workspace(database)), key=lambda each: each.id)
    await first.grant(10)
    wanted: list[Movement] = [
        Spend(workspace_id=first.id, amount=1, description="Use"),
        Spend(workspace_id=new.id, amount=1, description="Use"),
    ]
    if not only_spends:
        in_time = first.in_time(minutes=1)
        wanted.append(Hold(workspace_id=first.id, amount=1, expires_at=in_time, description="Job"))
    async with database.session() as holding:
        await post(holding, [Spend(workspace_id=first.id, amount=1, description="Use")])
        waiting = asyncio.create_task(workspace.do_all(*wanted))
        await _somebody_waits(database)
        # when the other gets its first credits, and somebody else is at work on them, before the wait ends
        await new.grant(10)
        async with database.session() as at_work:
            await post(at_work, [Spend(workspace_id=new.id, amount=10, description="Use")])
            await holding.rollback()
            answers = await waiting
            await at_work.rollback()
    # then the caller came before those credits, and touched nothing of them
    assert isinstance(answers[1], InsufficientCredits)
    assert (await new.balance()).version == 1


async def _somebody_waits(database: Database) -> None:
    """Return once a session of this database waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while True:
        async with database.read() as session:
            if (await session.execute(waiting)).scalar_one():
                return
        await asyncio.sleep(0.01)


async def test_nobody_deadlocks_whatever_the_order_of_workspaces_and_doors(workspace: Workspace) -> None:
    # given more workspaces than callers, some new, and every kind of list in random order
    chance = random.Random(7)
    database = workspace.database
    owners = [Workspace(database) for _ in range(30)]
    for owner in owners[:20]:
        await owner.grant(10_000)
    committers = [Committer(database), Committer(database)]

    def movements() -> list[Movement]:
        chosen = chance.sample(owners, 8)
        made: list[Movement] = []
        for owner in chosen:
            kind = chance.choice(("grant", "spend", "spend", "spend", "hold"))
            if kind == "grant":
                made.append(Grant(workspace_id=owner.id, amount=5, source=Source.PROMOTION, description="Grant"))
            elif kind == "spend":
                made.append(Spend(workspace_id=owner.id, amount=1, description="Use"))
            else:
                in_time = owner.in_time(minutes=1)
                made.append(Hold(workspace_id=owner.id, amount=1, expires_at=in_time, description="Job"))
        return made

    async def in_a_transaction() -> list[Posted | Refusal]:
        return await _attempted_once(database, movements())

    async def together() -> list[Posted | BaseException]:
        committer = chance.choice(committers)
        return await asyncio.gather(*map(committer.submit, movements()), return_exceptions=True)

    # when they all post at once
    callers = [in_a_transaction() if number % 2 else together() for number in range(120)]
    answered = await asyncio.gather(*callers)
    for committer in committers:
        await committer.close()

    # then everyone was answered, without a single deadlock, and refused only for want of credits
    refused = {type(answer) for answers in answered for answer in answers if not isinstance(answer, Posted)}
    assert refused <= {InsufficientCredits}


async def _attempted_once(database: Database, movements: Sequence[Movement]) -> list[Posted | Refusal]:
    attempts = 0

    async def work(session: Session) -> list[Posted | Refusal]:
        nonlocal attempts
        attempts += 1
        return await post(session, movements)

    answers = await transact(database, work)
    assert attempts == 1
    return answers
