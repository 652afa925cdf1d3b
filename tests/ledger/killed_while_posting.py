"""A process that kills itself at a point of a commit.

`python -m tests.ledger.killed_while_posting URL WORKSPACE MOVEMENT POINT`
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import datetime, timedelta
from uuid import UUID

from app.db.engine import Database, connect
from app.ledger.committer import Committer
from app.ledger.movements import Hold, Key, Movement, Spend
from tests.ledger.workspace import START, StoppedClock


def keyed_movement(workspace_id: UUID, kind: str, now: datetime) -> Movement:
    """The movement that the killed process posts, and that is asked for again afterwards."""
    key = Key.of(kind, "killed", 1)
    if kind == "spend":
        return Spend(workspace_id=workspace_id, amount=1, description="Use", key=key)
    expires_at = now + timedelta(minutes=10)
    return Hold(workspace_id=workspace_id, amount=1, expires_at=expires_at, description="Job", key=key)


async def _main(url: str, workspace_id: UUID, kind: str, point: str) -> None:
    def kill(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(connect(url), StoppedClock(), fault=kill)
    await Committer(database).submit(keyed_movement(workspace_id, kind, START))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], UUID(sys.argv[2]), sys.argv[3], sys.argv[4]))
