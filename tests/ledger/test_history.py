"""Histories are read newest first, in pages, by kind and by time; single objects by their ids."""

from __future__ import annotations

import asyncio
from uuid import UUID

from app.db.reads import Reads
from app.ids import uuid7
from app.ledger import ledger_reads
from app.ledger.chart_of_accounts import Kind
from app.money import MAX_STEPS
from tests.ledger.workspace import Workspace


async def test_pages_go_from_the_newest_to_the_oldest_and_say_whether_more_follow(workspace: Workspace) -> None:
    await workspace.grant(100)
    for _ in range(4):
        await workspace.spend(1)
    pages: list[tuple[list[int], bool]] = []
    after = None
    for _ in range(3):
        page = await ledger_reads.history(Reads(workspace.database), workspace.id, first=2, after_sequence=after)
        pages.append(([line.sequence for line in page.transactions], page.has_more))
        after = page.transactions[-1].sequence
    assert pages == [([5, 4], True), ([3, 2], True), ([1], False)]


async def test_a_history_can_be_narrowed_to_a_kind_and_to_a_time(workspace: Workspace) -> None:
    await workspace.grant(100)
    for _ in range(3):
        workspace.wait(hours=1)
        await workspace.spend(1)
        await workspace.hold(1, minutes=600)
    second = workspace.in_time(hours=-1)
    reads, now = Reads(workspace.database), workspace.clock.moment
    usage = await ledger_reads.history(reads, workspace.id, first=10, kind=Kind.USAGE)
    holds = await ledger_reads.history(reads, workspace.id, first=1, kind=Kind.HOLD)
    within = await ledger_reads.history(reads, workspace.id, first=10, start=second, end=now)
    assert [line.sequence for line in usage.transactions] == [6, 4, 2]
    assert ([line.sequence for line in holds.transactions], holds.has_more) == ([7], True)
    assert [line.sequence for line in within.transactions] == [5, 4]


async def test_a_transaction_is_found_by_its_id_in_its_own_workspace_only(workspace: Workspace) -> None:
    posted = await workspace.grant(100)
    reads = Reads(workspace.database)
    assert await ledger_reads.transaction(reads, workspace.id, posted.transaction.id) == posted.transaction
    for workspace_id, transaction_id in (
        (uuid7(), posted.transaction.id),
        (workspace.id, UUID(int=2)),
        (workspace.id, UUID(int=0)),
        (workspace.id, UUID(int=MAX_STEPS + 1)),
        (workspace.id, uuid7()),
    ):
        assert await ledger_reads.transaction(reads, workspace_id, transaction_id) is None


async def test_grants_and_the_transactions_of_purchases_are_found_by_their_ids(workspace: Workspace) -> None:
    purchase = await workspace.buy(10)
    (grant,) = (await workspace.balance()).grants
    await workspace.spend(10)
    await workspace.claw_back(purchase, 5)
    await workspace.reinstate(purchase, 5)
    reads = Reads(workspace.database)
    bought, none = await asyncio.gather(
        ledger_reads.purchase_transaction(reads, workspace.id, purchase),
        ledger_reads.purchase_transaction(reads, workspace.id, uuid7()),
    )
    assert bought is not None
    assert (bought.kind, none) == (Kind.PURCHASE, None)
    # spent ones are found too
    found = await ledger_reads.grant(reads, workspace.id, grant.id)
    assert found is not None
    assert (found.amount, found.remaining, found.purchase_id) == (10, 0, purchase)
    assert await ledger_reads.grant(reads, workspace.id, uuid7()) is None


async def test_several_balances_are_read_together(workspace: Workspace) -> None:
    other, empty = Workspace(workspace.database), uuid7()
    await workspace.grant(1)
    await workspace.grant(2, expires_at=workspace.in_time(days=1))
    await other.grant(4)
    reads = Reads(workspace.database)
    found = await asyncio.gather(*(ledger_reads.balance(reads, each) for each in (workspace.id, empty, other.id)))
    assert [balance.available for balance in found] == [3, 0, 4]
    assert [grant.remaining for grant in found[0].grants] == [2, 1]


async def test_a_history_that_is_read_after_a_balance_ends_where_the_balance_does(workspace: Workspace) -> None:
    await workspace.grant(100)
    read_first = await workspace.balance()
    await workspace.spend(1)
    bounded = await ledger_reads.history(
        Reads(workspace.database), workspace.id, first=10, up_to_sequence=read_first.sequence
    )
    assert [line.balance_after for line in bounded.transactions] == [read_first.available] == [100]
