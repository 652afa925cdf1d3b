"""Live fan-out: one balance, watched over 1,000 and then 5,000 sockets, each with a session of its own.

Side by side, each in a process of its own: the floor (`bench.live_floor`: ready bytes to everyone), the naive way
(`bench.live_naive`), and the product's server. What counts is the CPU time of the server's process for each message, since the
wall's includes the clients'. CPU time and memory are read from `/proc`, so this runs on Linux only.
"""

from __future__ import annotations

import asyncio
import resource
import secrets
import statistics
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import orjson

from app.accounts.people.email_syntax import parse_email
from app.accounts.people.sessions import open_session
from app.accounts.people.users import NewUser, create_user
from app.accounts.security.secrets import HashKeys
from app.clock import Clock
from app.db import embedded, migrate
from app.db.engine import Database, Session, connect, open_connection
from app.db.unit_of_work import transact
from app.ids import GlobalId
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant, Posted, Spend
from app.ledger.post_movements import post
from app.live import Bus
from bench import live_naive
from bench.children import child, cpu_seconds, until_listening
from bench.live_load import free_port

Publish: TypeAlias = Callable[[], Awaitable[object]]
"""Makes one change that every socket is sent."""

_ROUNDS: Final = 5
_MESSAGES_A_ROUND: Final = 20_000
_MOST_CHANGES: Final = 50
_WARM_UP_SOCKETS: Final = 50
# The product's server goes on setting itself up while it serves.
_SETTLES_SECONDS: Final = 5.0
_PAGE_BYTES: Final = resource.getpagesize()

_QUERY: Final = """subscription ($id: ID!) {
  creditBalanceChanged(workspaceId: $id) { id available held version updatedAt }
}"""
_BALANCE: Final = {
    "id": "Q3JlZGl0QmFsYW5jZTowMTkyZjBlYS0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA",
    "available": "999999.99",
    "held": "0.00",
    "version": 1_000,
    "updatedAt": "2030-01-01T00:00:00.000000+00:00",
}
_READY_LINE: Final = (
    orjson.dumps({"id": "1", "type": "next", "payload": {"data": {"creditBalanceChanged": _BALANCE}}}) + b"\n"
)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is hoped for with so many sockets: the product's CPU time a message at most so many times the floor's."""

    sockets: int
    times_floor: float


_GOALS: Final = (Goal(1_000, 2.0), Goal(5_000, 3.5))
_KILOBYTES_GOAL: Final = 26
_TIMES_GOAL_NAIVE: Final = "20 to 30"


@dataclass(slots=True)
class Contender:
    """A server, its crowd of sockets, and how to have it send; `changes_share` is the part of a round's changes it is given."""

    server: Process
    crowd: Process
    publish: Publish
    changes_share: float = 1.0
    sockets: int = 0
    warm_sockets: int = 0
    warm_bytes: int = 0
    cpu_us: list[float] = field(default_factory=list[float])

    async def grow(self, tokens: Sequence[str], variables: Mapping[str, object]) -> None:
        """Open a socket for each token."""
        await _tell(self.crowd, orjson.dumps({"query": _QUERY, "variables": variables, "tokens": tokens}) + b"\n")
        await _answer(self.crowd, b"open\n")
        self.sockets += len(tokens)

    async def warm_up(self, tokens: Sequence[str], variables: Mapping[str, object]) -> None:
        """Have the server do once what it will do often, so that what it keeps for good is not counted as a socket's."""
        await self.grow(tokens, variables)
        await self.round()
        self.warm_sockets, self.warm_bytes = self.sockets, self._memory_bytes()

    async def round(self) -> float:
        """Microseconds of CPU time that the server took for each message, over a round of changes, one after the other."""
        changes = min(max(2, round(_MESSAGES_A_ROUND * self.changes_share / self.sockets)), _MOST_CHANGES)
        began = cpu_seconds(self.server)
        for _ in range(changes):
            await self.publish()
            await _answer(self.crowd, b"served\n")
        return (cpu_seconds(self.server) - began) / (changes * self.sockets) * 1_000_000

    @property
    def kilobytes_a_socket(self) -> float:
        """How much the server's resident memory grew for each socket."""
        return (self._memory_bytes() - self.warm_bytes) / (self.sockets - self.warm_sockets) / 1000

    def _memory_bytes(self) -> int:
        return int(Path(f"/proc/{self.server.pid}/statm").read_text().split()[1]) * _PAGE_BYTES


async def _tell(process: Process, line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    await process.stdin.drain()


async def _answer(process: Process, expected: bytes) -> None:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if line != expected:
        raise RuntimeError(f"a process of the benchmark ended, or wrote {line!r} instead of {expected!r}")


@asynccontextmanager
async def _crowd(port: int) -> AsyncGenerator[Process]:
    """The clients of the server on this port, once it listens."""
    await until_listening(port)
    async with child("-m", "bench.live_load", f"ws://127.0.0.1:{port}/graphql") as process:
        yield process


@asynccontextmanager
async def _floor() -> AsyncGenerator[Contender]:
    port = free_port()
    async with child("-m", "bench.live_floor", str(port)) as server, _crowd(port) as crowd:
        yield Contender(server, crowd, lambda: _tell(server, _READY_LINE))


@asynccontextmanager
async def _naive(url: str) -> AsyncGenerator[Contender]:
    port = free_port()
    connection = await open_connection(url)
    message = orjson.dumps(_BALANCE).decode()
    try:
        async with (
            child("-m", "bench.live_naive", str(port), DATABASE_URL=url) as server,
            _crowd(port) as crowd,
        ):
            # a fifth of the changes: it takes so long that they tell as much
            yield Contender(
                server,
                crowd,
                lambda: connection.execute("SELECT pg_notify($1, $2)", live_naive.CHANNEL, message),
                changes_share=0.2,
            )
    finally:
        await connection.close()


@asynccontextmanager
async def _ours(url: str, database: Database, spend: Spend) -> AsyncGenerator[Contender]:
    port, sandbox_port = free_port(), free_port()
    settings = {
        "DATABASE_URL": url,
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "SECRET_KEY": "a secret key for benchmarks",
    }
    sandbox = ("-m", "sandbox", "--port", str(sandbox_port), "--database-url", url, "--exit-with-stdin")
    async with (
        child(*sandbox),
        child("-m", "app", "serve", "--no-worker", **settings) as server,
        _crowd(port) as crowd,
    ):
        yield Contender(server, crowd, lambda: transact(database, lambda session: post(session, [spend])))


@asynccontextmanager
async def _prepared(url: str) -> AsyncGenerator[Database]:
    database = Database(connect(url), Clock(), Bus(url))
    try:
        await migrate.upgrade(database.engine)
        yield database
    finally:
        await database.close()


async def _owner(database: Database, sessions: int) -> tuple[Spend, list[str]]:
    """Someone with credits: a charge on them, and the tokens of so many sessions."""

    async def make(session: Session) -> tuple[Spend, list[str]]:
        new = NewUser(parse_email("bench@example.com"), password_hash=None, handle=None)
        user = await create_user(session, HashKeys(secrets.token_bytes(32)), new)
        tokens = [(await open_session(session, user.id, "bench")).token for _ in range(sessions)]
        owned = user.personal_workspace_id
        grant = Grant(workspace_id=owned, amount=10**12, source=Source.PROMOTION, description="Bench")
        [answer] = await post(session, [grant])
        assert isinstance(answer, Posted)
        return Spend(workspace_id=owned, amount=1, description="Charge"), tokens

    return await transact(database, make)


async def _compare(contenders: Mapping[str, Contender]) -> None:
    """A round that doesn't count, then those that do, every contender in each."""
    for number in range(_ROUNDS + 1):
        for contender in contenders.values():
            cpu_us = await contender.round()
            contender.cpu_us = [*contender.cpu_us, cpu_us] if number else []


def _print(goal: Goal, contenders: Mapping[str, Contender]) -> None:
    floor = contenders["floor"].cpu_us

    def times_floor(name: str) -> float:
        return statistics.median(each / least for each, least in zip(contenders[name].cpu_us, floor, strict=True))

    print(f"\nOne balance watched over {goal.sockets:,} sockets, {_ROUNDS} rounds")
    for name, contender in contenders.items():
        cpu_us = statistics.median(contender.cpu_us)
        print(f"  {name:6} {cpu_us:7.1f} us of CPU a message   {contender.kilobytes_a_socket:6.1f} KB a connection")
    print(f"  CPU, ours / floor    {times_floor('ours'):6.2f}   goal at most {goal.times_floor}")
    print(f"  CPU, naive / floor   {times_floor('naive'):6.2f}   expected {_TIMES_GOAL_NAIVE}")
    print(f"  KB a connection      {contenders['ours'].kilobytes_a_socket:6.1f}   goal at most {_KILOBYTES_GOAL}")


def _allow_files(count: int) -> None:
    """Raise the limit of open files, for this process and those it starts; ends the program where that is not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            sys.exit(f"The benchmark needs {count:,} open files a process; this machine allows {hard:,} (ulimit -Hn).")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


async def main() -> None:
    """Start a PostgreSQL, the servers and their clients, measure with more and more sockets, and print the ratios."""
    most = max(goal.sockets for goal in _GOALS)
    _allow_files(most + 500)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cfbench"))
        url = stack.enter_context(embedded.running(Path(folder) / "pg", keep_if_found=False))
        database = await stack.enter_async_context(_prepared(url))
        spend, tokens = await _owner(database, most)
        variables = {"id": str(GlobalId("Workspace", spend.workspace_id))}
        contenders = {
            "floor": await stack.enter_async_context(_floor()),
            "naive": await stack.enter_async_context(_naive(url)),
            "ours": await stack.enter_async_context(_ours(url, database, spend)),
        }
        await asyncio.sleep(_SETTLES_SECONDS)
        for contender in contenders.values():
            await contender.warm_up(tokens[:_WARM_UP_SOCKETS], variables)
        for goal in _GOALS:
            growing = [each.grow(tokens[each.sockets : goal.sockets], variables) for each in contenders.values()]
            await asyncio.gather(*growing)
            await _compare(contenders)
            _print(goal, contenders)
