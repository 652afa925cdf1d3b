"""Connections that die and processes that are killed lose nothing and double nothing."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import cast

import pytest

from app.clock import Clock
from app.db.engine import Database, connect, open_connection
from app.errors import Unavailable
from app.ids import uuid7
from app.ledger.committer import Committer
from app.ledger.movements import Key, Movement, Posted, Spend
from tests.ledger.callers import spend, submit_all
from tests.ledger.killed_while_posting import keyed_movement
from tests.ledger.workspace import Workspace

_ROOT = Path(__file__).parents[2]


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
    answers = await submit_all(committer, [spend(workspace, 1, "a"), spend(workspace, 2), spend(workspace, 4, "b")])
    await committer.close()
    # those with a key know what happened; the one without is told that nobody does
    assert isinstance(answers[0], Posted)
    assert isinstance(answers[1], Unavailable)
    assert isinstance(answers[2], Posted)
    assert answers[0].is_replay is is_posted
    assert (await workspace.balance()).available == (93 if is_posted else 95)


_PIDS = "SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database()"


async def test_killed_backends_under_load_lose_and_double_nothing(workspace: Workspace, server_url: str) -> None:
    # given a committer whose connections are killed again and again while callers spend, each with a key
    await workspace.grant(10_000)
    url = workspace.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    killer = await open_connection(url)
    # what other tests go on using was there before
    spared = cast(list[int], await killer.fetchval(_PIDS))  # pyright: ignore[reportUnknownMemberType]
    database = Database(connect(url, pool_size=3), workspace.clock)
    committer = Committer(database)
    kill = """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%ledger_%' AND pid <> ALL ($1)
    """
    killed = 0
    outcomes: list[tuple[Spend, Posted | BaseException]] = []

    async def caller(number: int) -> None:
        for turn in range(10):
            asked = spend(workspace, 1, f"{number}-{turn}")
            (answer,) = await submit_all(committer, [asked])
            outcomes.append((asked, answer))

    callers = asyncio.gather(*map(caller, range(20)))
    while not callers.done():
        killed += cast(int, await killer.fetchval(kill, spared))  # pyright: ignore[reportUnknownMemberType]
        await asyncio.sleep(0.02)
    await callers
    await killer.close()
    assert killed > 0
    # when those who were told that it is unknown ask again
    failed = [asked for asked, answer in outcomes if not isinstance(answer, Posted)]
    assert {type(answer) for _, answer in outcomes} <= {Posted, Unavailable}
    await database.engine.dispose()
    assert all(isinstance(answer, Posted) for answer in await submit_all(committer, failed))
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
    answers = await submit_all(committer, spends)
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    await committer.close()
    await database.close()
