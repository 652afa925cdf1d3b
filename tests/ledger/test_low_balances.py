"""A balance that falls to its mark is looked at in the transaction that lowered it: the door of auto-recharge."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import text

from app.db.engine import Session
from app.db.unit_of_work import transact
from app.ledger.chart_of_accounts import Source
from app.ledger.committer import Committer
from app.ledger.movements import Grant, Hold, InsufficientCredits
from app.ledger.post_movements import set_recharge_below
from tests.ledger.callers import spend
from tests.ledger.workspace import Workspace


async def test_a_balance_lowered_to_its_mark_is_looked_at_in_the_same_transaction(workspace: Workspace) -> None:
    await workspace.grant(100)
    await transact(workspace.database, lambda session: set_recharge_below(session, workspace.id, 50))
    low: list[UUID] = []

    async def on_low(session: Session, workspace_ids: Sequence[UUID]) -> None:
        available = text("SELECT available FROM ledger_balances WHERE workspace_id = :id")
        assert (await session.execute(available, {"id": workspace_ids[0]})).scalar_one() <= 50
        low.extend(workspace_ids)

    committer = Committer(workspace.database, on_low=on_low)
    await committer.submit(spend(workspace, 49))
    assert low == []
    await committer.submit(spend(workspace, 1))
    assert low == [workspace.id]
    hold = Hold(workspace_id=workspace.id, amount=1, expires_at=workspace.in_time(minutes=1), description="Job")
    await committer.submit(hold)
    assert low == [workspace.id] * 2
    # a refused movement, and one that raises the balance, are no reason to look
    with pytest.raises(InsufficientCredits):
        await committer.submit(spend(workspace, 1000))
    await committer.submit(Grant(workspace_id=workspace.id, amount=1, source=Source.PROMOTION, description="Grant"))
    assert low == [workspace.id] * 2
    await committer.close()


async def test_what_fails_while_looking_at_a_low_balance_posts_nothing(workspace: Workspace) -> None:
    await workspace.grant(100)
    await transact(workspace.database, lambda session: set_recharge_below(session, workspace.id, 50))

    async def on_low(session: Session, workspace_ids: Sequence[UUID]) -> None:
        raise ValueError("no decision")

    committer = Committer(workspace.database, on_low=on_low)
    with pytest.raises(ValueError, match="no decision"):
        await committer.submit(spend(workspace, 60))
    await committer.close()
    assert (await workspace.balance()).available == 100


async def test_expiry_and_spending_lower_a_balance_to_its_mark_but_a_clawback_does_not(workspace: Workspace) -> None:
    purchase = await workspace.buy(60, expires_at=workspace.in_time(days=1))
    await workspace.grant(40)
    await transact(workspace.database, lambda session: set_recharge_below(session, workspace.id, 50))
    assert not (await workspace.claw_back(purchase, 55)).is_low
    assert (await workspace.spend(1)).is_low
    workspace.wait(days=1)
    assert (await workspace.settle_due()).low == [workspace.id]
