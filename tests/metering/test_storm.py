"""Many processes that report the same events, some of them killed: each event counts once and is paid for once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.db.engine import Database
from app.db.tables.usage import UsageDueRow
from app.metering import paying
from tests.ledger.workspace import proof
from tests.metering import storm
from tests.metering.workspace import Metered
from tests.support.client import eventually

_ROOT = Path(__file__).parents[2]
_WORKSPACES = 5
_CREDITS = 10_000_000
_INCLUDED = 100
_PRICE = 500


@pytest.mark.parametrize("point", ["usage.count:after-commit", "usage.pay:after-commit"])
async def test_a_storm_with_a_process_killed_counts_and_charges_each_event_once(database: Database, point: str) -> None:
    opened = [await Metered(database).open() for _ in range(_WORKSPACES)]
    for each in opened:
        await each.grant(_CREDITS)
    ids = [each.id for each in opened]

    killed = await _start(database, 0, ids, point)
    # the others would else have counted everything before it is up
    await eventually(lambda: _begun(opened))
    others = [await _start(database, seed, ids, None) for seed in (100, 200)]
    codes = await asyncio.gather(*(process.wait() for process in (killed, *others)))

    # nobody met an error, such as a deadlock, but for the one that was killed
    assert codes == [-signal.SIGKILL, 0, 0]
    opened[0].wait(minutes=1)
    await paying.pay_left(opened[0].database, opened[0].catalog, limit=1_000)
    await _each_counted_once(opened)


async def _begun(opened: Sequence[Metered]) -> bool:
    return any([await each.counters() for each in opened])


async def _start(
    database: Database, seed: int, workspace_ids: Sequence[UUID], point: str | None
) -> asyncio.subprocess.Process:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    given = {**os.environ, "POINT": point} if point is not None else os.environ
    arguments = "-m", "tests.metering.storm", url, str(seed), *map(str, workspace_ids)
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=_ROOT, env=given)


async def _each_counted_once(opened: Sequence[Metered]) -> None:
    used: dict[tuple[UUID | None, str], Decimal] = defaultdict(Decimal)
    by_subject: dict[tuple[UUID | None, str], Decimal] = defaultdict(Decimal)
    for event in storm.events([each.id for each in opened]):
        used[event.workspace_id, event.resource] += event.quantity
        if event.subject is not None and event.resource == "enrichments":
            by_subject[event.workspace_id, event.subject] += event.quantity
    for each in opened:
        assert (await each.counter("sessions")).used == used[each.id, "sessions"]
        counter = await each.counter()
        assert counter.used == used[each.id, "enrichments"] > _INCLUDED
        assert (counter.overage, counter.unpaid) == (counter.used - _INCLUDED, 0)
        assert counter.charged == counter.overage * _PRICE
        assert await each.available() == _CREDITS - counter.charged
        assert sum((await each.days()).values()) == counter.used
        found = await each.by_subject()
        assert {name: amount for name, (amount, _) in found.items()} == {
            name: by_subject[each.id, name] for name in ("ada", "bob")
        }
        assert sum(-spend.amount for spend in await each.spends()) == counter.charged
    async with opened[0].database.read() as session:
        ids = [each.id for each in opened]
        left = select(func.count()).select_from(UsageDueRow).where(UsageDueRow.workspace_id.in_(ids))
        assert await session.scalar(left) == 0
    assert (await proof(opened[0].database)).is_sound
