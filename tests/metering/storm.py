"""A process that reports the same events as others do, in an order and in batches of its own, until it has reported each.

`python -m tests.metering.storm URL SEED WORKSPACE...`; with `POINT` in the environment it kills itself there, the second time.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from app.db.engine import Database, connect
from app.metering.ingest import record_usage
from app.metering.usage_events import UsageEvent
from tests.ledger.workspace import StoppedClock
from tests.metering.workspace import START, catalog

EVENTS = 1_200
_BATCH = 60
_WRITERS = 2
_PASSED = 2
RESOURCES = ("enrichments", "sessions", "storage")
SUBJECTS = (None, "ada", "bob")


def events(workspace_ids: Sequence[UUID]) -> list[UsageEvent]:
    """What is to be counted: the same for every process."""
    source = random.Random(7)
    return [
        UsageEvent(
            source.choice(workspace_ids),
            None,
            RESOURCES[number % len(RESOURCES)],
            Decimal(source.randint(1, 9)),
            f"event-{number}",
            START,
            source.choice(SUBJECTS),
        )
        for number in range(EVENTS)
    ]


async def report(database: Database, seed: int, workspace_ids: Sequence[UUID]) -> None:
    """Report every event at least once, many of them twice."""
    source, everything = random.Random(seed), events(workspace_ids)
    left = source.sample(everything, len(everything))
    while left:
        batch, left = left[:_BATCH], left[_BATCH:]
        batch += source.sample(everything, _BATCH // 2)
        source.shuffle(batch)
        recorded = await record_usage(database, catalog(), batch)
        assert not recorded.rejected, recorded.rejected


async def _main(url: str, seed: int, workspace_ids: Sequence[UUID]) -> None:
    point, passed = os.environ.get("POINT"), 0

    def kill(at: str) -> None:
        nonlocal passed
        passed += at == point
        if passed == _PASSED:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(connect(url), StoppedClock(moment=START), fault=kill)
    await asyncio.gather(*(report(database, seed + writer, workspace_ids) for writer in range(_WRITERS)))
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), [UUID(each) for each in sys.argv[3:]]))
