"""Screens: stock clients that watch one balance over real sockets, each with a session of its own."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from typing import Any

from app.accounts.people.sessions import open_session
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant, Movement, Spend
from app.ledger.post_movements import post
from tests.support import operations
from tests.support.client import Api, Socket
from tests.support.running_backend import Person, RunningBackend

_HELD_BY_THE_TEST_RUN = 500


class Screen:
    """A client that reads whatever comes, as fast as it comes; `versions` are those it was shown."""

    def __init__(self, socket: Socket, first: dict[str, Any]) -> None:
        self.states = [first]
        self._socket = socket

    @property
    def versions(self) -> list[int]:
        return [int(state["version"]) for state in self.states]

    async def reach(self, version: int) -> None:
        """Read until the newest state has the version."""
        while self.versions[-1] < version:
            self.states.append(await self._socket.state())

    def assert_versions_rise(self) -> None:
        assert all(before < after for before, after in pairwise(self.versions)), self.versions


async def sessions_of(database: Database, person: Person, count: int) -> list[str]:
    """The tokens of so many more sessions of the person."""

    async def sign_in(session: Session) -> list[str]:
        return [(await open_session(session, person.user_id, "a test")).token for _ in range(count)]

    return await transact(database, sign_in)


@asynccontextmanager
async def screens(api: Api, person: Person, tokens: Sequence[str]) -> AsyncGenerator[list[Screen]]:
    """A screen for each token, all opened at once; each has its first state."""
    allow_files(2 * len(tokens))
    async with AsyncExitStack() as stack:

        async def watch(token: str) -> Screen:
            socket = await stack.enter_async_context(api.socket(token))
            return Screen(socket, await socket.subscribe(operations.WATCH_BALANCE, {"id": person.workspace}))

        yield list(await asyncio.gather(*map(watch, tokens)))


async def change(database: Database, *movements: Movement) -> int:
    """Post the movements, which must be allowed, on one balance; its new version."""

    async def work(session: Session) -> int:
        answers = await post(session, movements)
        assert not [answer for answer in answers if isinstance(answer, Exception)]
        return max(hint.version for hint in session.outbox.hints)

    return await transact(database, work)


async def grant(backend: RunningBackend, person: Person, amount: int, count: int = 1) -> int:
    """Give so many grants of so many steps each; the balance's new version."""
    gift = Grant(workspace_id=person.workspace_id, amount=amount, source=Source.PROMOTION, description="A gift")
    return await change(backend.database, *[gift] * count)


async def spend(database: Database, person: Person) -> int:
    """Spend the smallest step; the balance's new version."""
    return await change(database, Spend(workspace_id=person.workspace_id, amount=1, description="A job"))


def allow_files(count: int) -> None:
    """Let this process open so many files more, where the machine allows it."""
    wanted = count + _HELD_BY_THE_TEST_RUN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
