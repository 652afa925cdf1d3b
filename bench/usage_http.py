"""Usage over HTTP: a thousand events a call through the product's server, as the host product sends them.

Beside it the function that records them, called in this process, and a typed decode of the same bodies: what nobody who reads JSON
can do without. What counts is the CPU time of the process that does it, PostgreSQL's left out.
CPU time is read from `/proc`, so this runs on Linux only.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeAlias
from uuid import UUID

import httpx
import orjson

from app.accounts.access.api_keys import create_service_key
from app.accounts.access.permissions import ApiScope
from app.catalog import Catalog, load_catalog
from app.db.engine import Database
from app.db.unit_of_work import transact
from app.ids import GlobalId
from app.metering.ingest import record_usage
from app.metering.usage_events import UsageEvent
from bench.children import cpu_seconds, product_server
from resolvers.usage_mutations import event_workspace

Batch: TypeAlias = "Sequence[tuple[UUID, str, str, Decimal]]"
"""A call's events: (workspace, event id, resource, quantity)."""

_MUTATION: Final = """mutation Record($input: RecordUsageInput!) {
  recordUsage(input: $input) { accepted duplicates rejected { index code } userErrors { code message } }
}"""
_ROUNDS: Final = 7
_CALLS_A_ROUND: Final = 20
# the product's server goes on setting itself up while it serves
_SETTLES_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one event: how long it took, and the CPU time for it, both in microseconds."""

    wall_us: float
    cpu_us: float

    @classmethod
    def median(cls, costs: Sequence[_Cost]) -> _Cost:
        return cls(statistics.median(each.wall_us for each in costs), statistics.median(each.cpu_us for each in costs))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What each round works with."""

    database: Database
    catalog: Catalog
    server: Process
    client: httpx.AsyncClient


async def compare_http(url: str, database: Database, catalog_file: Path, batch: Callable[[], Batch]) -> None:
    """Start a server, measure, and print what an event costs each way."""
    catalog = load_catalog(catalog_file)
    _, key = await transact(
        database, lambda session: create_service_key(session, "bench", [ApiScope.USAGE_WRITE], expires_at=None)
    )
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "accept": "application/json"}
    costs: dict[str, list[_Cost]] = {"HTTP": [], "function": [], "decode": []}
    async with product_server(url, catalog_file) as (server, port):
        await asyncio.sleep(_SETTLES_SECONDS)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            parts = _Parts(database, catalog, server, client)
            for number in range(_ROUNDS + 1):
                measured = {
                    "HTTP": await _over_http(parts, [_body(batch()) for _ in range(_CALLS_A_ROUND)]),
                    "function": await _by_function(parts, [_events(batch()) for _ in range(_CALLS_A_ROUND)]),
                    "decode": _decoding([_body(batch()) for _ in range(_CALLS_A_ROUND)]),
                }
                if number:
                    for name, cost in measured.items():
                        costs[name].append(cost)
    _print({name: _Cost.median(each) for name, each in costs.items()})


def _body(events: Batch) -> bytes:
    inputs = [
        {
            "workspaceId": str(GlobalId("Workspace", workspace_id)),
            "resource": resource,
            "quantity": format(quantity, "f"),
            "eventId": event_id,
        }
        for workspace_id, event_id, resource, quantity in events
    ]
    return orjson.dumps({"query": _MUTATION, "variables": {"input": {"events": inputs}}})


def _events(events: Batch) -> list[UsageEvent]:
    return [
        UsageEvent(workspace_id, None, resource, quantity, event_id)
        for workspace_id, event_id, resource, quantity in events
    ]


def _decoded(body: bytes) -> list[UsageEvent]:
    return [
        UsageEvent(
            event_workspace(each["workspaceId"]), None, each["resource"], Decimal(each["quantity"]), each["eventId"]
        )
        for each in orjson.loads(body)["variables"]["input"]["events"]
    ]


async def _over_http(parts: _Parts, bodies: list[bytes]) -> _Cost:
    events = sum(len(_decoded(body)) for body in bodies)
    began, used = time.perf_counter(), cpu_seconds(parts.server)
    for body in bodies:
        answer = await parts.client.post("/graphql", content=body)
        recorded = answer.raise_for_status().json()["data"]["recordUsage"]
        if recorded["rejected"] or recorded["userErrors"]:
            raise RuntimeError(f"events were refused: {recorded}")
    return _cost(events, time.perf_counter() - began, cpu_seconds(parts.server) - used)


async def _by_function(parts: _Parts, calls: list[list[UsageEvent]]) -> _Cost:
    began, used = time.perf_counter(), time.process_time()
    for events in calls:
        await record_usage(parts.database, parts.catalog, events)
    return _cost(sum(map(len, calls)), time.perf_counter() - began, time.process_time() - used)


def _decoding(bodies: list[bytes]) -> _Cost:
    began, used = time.perf_counter(), time.process_time()
    events = sum(len(_decoded(body)) for body in bodies)
    return _cost(events, time.perf_counter() - began, time.process_time() - used)


def _cost(events: int, wall: float, cpu: float) -> _Cost:
    return _Cost(wall / events * 1_000_000, cpu / events * 1_000_000)


def _print(costs: dict[str, _Cost]) -> None:
    http, function, decode = costs["HTTP"], costs["function"], costs["decode"]
    print(f"\nOver HTTP, {_ROUNDS} rounds of {_CALLS_A_ROUND} calls, one after the other")
    for name, cost in costs.items():
        print(
            f"  {name:9} {1_000_000 / cost.wall_us:9,.0f}/s   CPU without PostgreSQL's {cost.cpu_us:6.2f} µs an event"
        )
    print(f"  rate, HTTP / function {function.wall_us / http.wall_us:6.2f}")
    print(f"  CPU, HTTP / function  {http.cpu_us / function.cpu_us:6.2f}")
    print(f"  decode, part of HTTP's CPU {decode.cpu_us / http.cpu_us * 100:4.0f} %")
