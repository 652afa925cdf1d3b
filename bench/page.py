"""The billing page over HTTP: plan, subscription, seats, four bars of usage with each of their days, spend, balance with grants and
ten transactions, cards, ten invoices with their lines.

Side by side, each in a process of its own, on the same rows: the floor (`bench.page_floor`: one statement, written for this page),
the naive way (`bench.page_naive`), and the product's server. What counts is the CPU time of the server's process for each page.
Then how it grows with what lies behind the page; and how often each goes to PostgreSQL for it, counted at the driver.
CPU time is read from `/proc`, so this runs on Linux only.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import httpx
import orjson
from starlette.applications import Starlette
from starlette.types import ASGIApp

from app.catalog import BillingInterval, PlanTerms, load_catalog, plan_terms
from app.clock import Clock
from app.db import embedded, migrate
from app.db.engine import Database, connect, open_connection
from app.main import open_backend, web_app
from app.settings import Settings
from bench.children import child, cpu_seconds, product_server, until_listening
from bench.live_load import free_port
from bench.page_floor import floor
from bench.page_naive import naive
from bench.page_rows import QUERY, Page, fill
from bench.page_usage import ResourceFacts, resource_facts
from bench.round_trips import counted_round_trips

_ROUNDS: Final = 7
_PAGES_A_ROUND: Final = 400
# it takes so long that they tell as much
_NAIVE_PAGES_A_ROUND: Final = 60
_AT_ONCE: Final = 4
_WARM_UP_PAGES: Final = 100
_SIZES: Final = (10, 1_000, 100_000)
_MAIN_SIZE: Final = 1_000
# The product's server goes on setting itself up while it serves.
_SETTLES_SECONDS: Final = 5.0

_GOAL_TIMES_FLOOR: Final = 7.0
_GOAL_ROUND_TRIPS: Final = 3
_CATALOG: Final = Path(__file__).parents[1] / "catalogs" / "analytics.toml"

PlanFacts: TypeAlias = "tuple[dict[str, str], int, int | None, list[ResourceFacts]]"
"""Code and name of the plan, what a seat costs a month and what may be spent in one, both in the smallest unit of the currency, and
what is metered.
"""


@dataclass(slots=True)
class Contender:
    """A server, and what its process took for a page, by the number of rows behind it, a number for each round."""

    server: Process
    port: int
    pages_a_round: int = _PAGES_A_ROUND
    cpu_us: dict[int, list[float]] = field(default_factory=dict[int, list[float]])

    async def ask(self, page: Page, times: int) -> bytes:
        """Ask for the page so often, a few at once, each over a connection that is kept; the last answer."""
        requests = iter(range(times))
        answers = await asyncio.gather(*(self._ask(page, requests) for _ in range(_AT_ONCE)))
        return answers[0]

    async def _ask(self, page: Page, requests: Iterator[int]) -> bytes:
        body = orjson.dumps({"query": QUERY, "variables": page.variables})
        head = (
            f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {page.token}\r\n"
            f"content-type: application/json\r\naccept: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        answer = b""
        for _ in requests:
            writer.write(head + body)
            headers = await reader.readuntil(b"\r\n\r\n")
            if not headers.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the page was refused: {headers!r}")
            length = int(headers.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            answer = await reader.readexactly(length)
        writer.close()
        return answer

    async def round(self, page: Page, rows: int, *, counts: bool) -> None:
        """Measure one round."""
        began = cpu_seconds(self.server)
        await self.ask(page, self.pages_a_round)
        if counts:
            used = (cpu_seconds(self.server) - began) / self.pages_a_round * 1_000_000
            self.cpu_us.setdefault(rows, []).append(used)


def _plan_facts() -> PlanFacts:
    catalog = load_catalog(_CATALOG)
    plan = _terms().plan
    price = plan.price(BillingInterval.MONTH)
    if price is None:
        raise RuntimeError(f"{plan.code} has no monthly price")
    limit = plan.monthly_spend_limit
    spent_at_most = limit.minor if limit is not None else None
    return {"code": plan.code, "name": plan.name}, price.per_seat.minor, spent_at_most, resource_facts(catalog, plan)


def _terms() -> PlanTerms:
    """The plan that the workspace subscribes to: one that is billed by the seat."""
    catalog = load_catalog(_CATALOG)
    plan = catalog.plan("team")
    if plan is None:
        raise RuntimeError("the catalog has no plan called team")
    return plan_terms(catalog, plan)


@asynccontextmanager
async def _other(module: str, url: str, pages_a_round: int = _PAGES_A_ROUND) -> AsyncGenerator[Contender]:
    port = free_port()
    facts = orjson.dumps(_plan_facts()).decode()
    async with child("-m", module, str(port), DATABASE_URL=url, PLAN=facts) as server:
        await until_listening(port)
        yield Contender(server, port, pages_a_round)


@asynccontextmanager
async def _ours(url: str) -> AsyncGenerator[Contender]:
    async with product_server(url, _CATALOG) as (server, port):
        yield Contender(server, port)


async def _round_trips(app: ASGIApp, page: Page, count: Callable[[], int]) -> int:
    """How many round trips a page takes in a server that has answered it before."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        before = 0
        for _ in range(4):
            before = count()
            answer = await client.post(
                "/graphql",
                json={"query": QUERY, "variables": page.variables},
                headers={"authorization": f"Bearer {page.token}", "accept": "application/json"},
            )
            answer.raise_for_status()
        return count() - before


async def _all_round_trips(url: str, page: Page) -> dict[str, int]:
    """The round trips of each contender, in this process."""
    found: dict[str, int] = {}
    others: Mapping[str, Callable[..., Starlette]] = {"floor": floor, "naive": naive}
    for name, make in others.items():
        with counted_round_trips() as trips:
            app = make(url, *_plan_facts())
            async with app.router.lifespan_context(app):
                found[name] = await _round_trips(app, page, lambda trips=trips: trips.count)
    with counted_round_trips() as trips:
        settings = Settings.model_validate({"database_url": url, "catalog": _CATALOG})
        async with open_backend(settings, url, "a secret key for benchmarks", listens=False) as backend:
            found["ours"] = await _round_trips(web_app(backend), page, lambda: trips.count)
    return found


async def _compare(contenders: Mapping[str, Contender], pages: Mapping[int, Page]) -> None:
    """A round that doesn't count, then those that do: every contender in each, and ours with every size."""
    for number in range(_ROUNDS + 1):
        for rows, page in pages.items():
            for name, contender in contenders.items():
                if rows == _MAIN_SIZE or name == "ours":
                    await contender.round(page, rows, counts=number > 0)


def _print(contenders: Mapping[str, Contender], trips: Mapping[str, int]) -> None:
    least = contenders["floor"].cpu_us[_MAIN_SIZE]

    def times_floor(name: str) -> float:
        measured = contenders[name].cpu_us[_MAIN_SIZE]
        return statistics.median(each / floor_us for each, floor_us in zip(measured, least, strict=True))

    print(
        f"\nThe billing page, {_MAIN_SIZE:,} transactions and invoices behind it, {_ROUNDS} rounds of {_PAGES_A_ROUND} pages"
    )
    for name, contender in contenders.items():
        print(
            f"  {name:6} {statistics.median(contender.cpu_us[_MAIN_SIZE]):8.0f} us of CPU a page   {trips[name]:3} round trips"
        )
    print(f"  CPU, ours / floor    {times_floor('ours'):6.2f}   goal at most {_GOAL_TIMES_FLOOR:g}")
    print(f"  CPU, naive / floor   {times_floor('naive'):6.2f}")
    print(f"  round trips, ours    {trips['ours']:6}   goal at most {_GOAL_ROUND_TRIPS}")
    for rows in _SIZES:
        ours = statistics.median(contenders["ours"].cpu_us[rows])
        print(f"  ours with {rows:>7,} rows {ours:8.0f} us of CPU a page")


async def main() -> None:
    """Start a PostgreSQL and the servers, measure, and print the ratios."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cfbench"))
        url = stack.enter_context(embedded.running(Path(folder) / "pg", keep_if_found=False))
        database = Database(connect(url), Clock())
        stack.push_async_callback(database.close)
        await migrate.upgrade(database.engine)
        pages = {rows: await fill(database, rows, _terms().id) for rows in _SIZES}
        administrator = await open_connection(url)
        await administrator.execute("VACUUM ANALYZE")
        await administrator.close()
        trips = await _all_round_trips(url, pages[_MAIN_SIZE])
        contenders = {
            "floor": await stack.enter_async_context(_other("bench.page_floor", url)),
            "naive": await stack.enter_async_context(_other("bench.page_naive", url, _NAIVE_PAGES_A_ROUND)),
            "ours": await stack.enter_async_context(_ours(url)),
        }
        await asyncio.sleep(_SETTLES_SECONDS)
        answers = {name: await each.ask(pages[_MAIN_SIZE], _WARM_UP_PAGES) for name, each in contenders.items()}
        if orjson.loads(answers["ours"]) != orjson.loads(answers["floor"]):
            raise RuntimeError("the floor answers something else than the product")
        await _compare(contenders, pages)
        _print(contenders, trips)
