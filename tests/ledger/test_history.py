"""Histories are read newest first, in pages, by kind and by time; single objects by their ids."""

from __future__ import annotations

from uuid import UUID

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
    async with workspace.database.read() as session:
        for _ in range(3):
            page = await ledger_reads.history(session, workspace.id, first=2, after_sequence=after)
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
    async with workspace.database.read() as session:
        usage = await ledger_reads.history(session, workspace.id, first=10, kind=Kind.USAGE)
        holds = await ledger_reads.history(session, workspace.id, first=1, kind=Kind.HOLD)
        within = await ledger_reads.history(session, workspace.id, first=10, start=second, end=workspace.clock.moment)
    assert [line.sequence for line in usage.transactions] == [6, 4, 2]
    assert ([line.sequence for line in holds.transactions], holds.has_more) == ([7], True)
    assert [line.sequence for line in within.transactions] == [5, 4]


async def test_a_transaction_is_found_by_its_id_in_its_own_workspace_only(workspace: Workspace) -> None:
    posted = await workspace.grant(100)
    async with workspace.database.read() as session:
        assert await ledger_reads.transaction(session, workspace.id, posted.transaction.id) == posted.transaction
        for workspace_id, transaction_id in (
            (uuid7(), posted.transaction.id),
            (workspace.id, UUID(int=2)),
            (workspace.id, UUID(int=0)),
            (workspace.id, UUID(int=MAX_STEPS + 1)),
            (workspace.id, uuid7()),
        ):
            assert await ledger_reads.transaction(session, workspace_id, transaction_id) is None


async def test_grants_and_the_transactions_of_purchases_are_found_by_their_ids(workspace: Workspace) -> None:
    purchase = await workspace.buy(10)
    (grant,) = (await workspace.balance()).grants
    await workspace.spend(10)
    await workspace.claw_back(purchase, 5)
    await workspace.reinstate(purchase, 5)
    async with workspace.database.read() as session:
        bought = await ledger_reads.purchase_transactions(session, workspace.id, [purchase, uuid7()])
        assert {key: line.kind for key, line in bought.items()} == {purchase: Kind.PURCHASE}
        found = await ledger_reads.grants(session, workspace.id, [grant.id, uuid7()])
    # spent ones are found too
    assert {key: (it.amount, it.remaining, it.purchase_id) for key, it in found.items()} == {
        grant.id: (10, 0, purchase)
    }


async def test_several_balances_are_read_together(workspace: Workspace) -> None:
    other, empty = Workspace(workspace.database), uuid7()
    await workspace.grant(1)
    await workspace.grant(2, expires_at=workspace.in_time(days=1))
    await other.grant(4)
    async with workspace.database.read() as session:
        session.now = workspace.clock.moment
        found = await ledger_reads.balances(session, [workspace.id, empty, other.id])
    assert {key: balance.available for key, balance in found.items()} == {workspace.id: 3, empty: 0, other.id: 4}
    assert [grant.remaining for grant in found[workspace.id].grants] == [2, 1]
