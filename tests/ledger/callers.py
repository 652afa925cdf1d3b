"""Callers that meet in a committer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.ledger.committer import Committer
from app.ledger.movements import Key, Movement, Posted, Spend
from tests.ledger.workspace import Workspace


def spend(workspace: Workspace, amount: int = 1, key: str | None = None, description: str = "Use") -> Spend:
    """A spend of the workspace's, with a key if one is given."""
    named = Key.of("deductCredits", key, amount) if key else None
    return Spend(workspace_id=workspace.id, amount=amount, description=description, key=named)


async def submit_all(committer: Committer, movements: Sequence[Movement]) -> list[Posted | BaseException]:
    """Submit all of them at once; each one's answer or refusal, in their order."""
    return await asyncio.gather(*map(committer.submit, movements), return_exceptions=True)
