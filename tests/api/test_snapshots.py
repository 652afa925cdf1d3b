"""What a page reads of a balance is of one moment: its amount, its grants and its history agree, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from app.db.engine import Database
from app.db.unit_of_work import transact
from app.ids import GlobalId
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant, Hold, Spend
from app.ledger.post_movements import post
from tests.support.accounts import Person, new_person
from tests.support.api import Api, Client

_PAGES: Final = 300
_AT_ONCE: Final = 3

_BALANCE: Final = """{
    available held version grants { remaining }
    newest: transactions(first: 1) { nodes { sequence balanceAfter heldAfter } }
    transactions(first: 3) { nodes { sequence balanceAfter } }
}"""
_AHEAD: Final = f"query ($id: ID!) {{ workspace(id: $id) {{ name creditBalance {_BALANCE} }} }}"
_BOUNDED: Final = f"query ($id: ID!) {{ node(id: $id) {{ ... on CreditBalance {_BALANCE} }} }}"


@asynccontextmanager
async def _moving(database: Database, person: Person) -> AsyncGenerator[Callable[[], int]]:
    """Somebody whose balance never rests: credits come in, are spent and held. Tells how often it has moved."""
    workspace_id, moved = person.user.personal_workspace_id, 0
    far = database.clock.now().replace(year=2100)

    async def move() -> None:
        nonlocal moved
        grant = Grant(workspace_id=workspace_id, amount=10, source=Source.PROMOTION, description="In")
        spend = Spend(workspace_id=workspace_id, amount=7, description="Out")
        hold = Hold(workspace_id=workspace_id, amount=1, expires_at=far, description="Aside")
        movements = ([grant], [spend], [grant, hold])[moved % 3]
        await transact(database, lambda session: post(session, movements))
        moved += 1

    async def write() -> None:
        while True:
            await move()

    await move()
    writer = asyncio.create_task(write())
    try:
        yield lambda: moved
        assert not writer.done(), writer
    finally:
        writer.cancel()
        await asyncio.wait([writer])


def _assert_agrees(balance: dict[str, Any]) -> None:
    newest, transactions = balance["newest"]["nodes"][0], balance["transactions"]["nodes"]
    assert balance["available"] == newest["balanceAfter"] == transactions[0]["balanceAfter"], balance
    assert balance["held"] == newest["heldAfter"], balance
    assert sum(int(grant["remaining"]) for grant in balance["grants"]) == int(balance["available"]), balance
    assert transactions[0]["sequence"] == newest["sequence"], balance


@pytest.mark.parametrize(
    ("document", "type_name"), [(_AHEAD, "Workspace"), (_BOUNDED, "CreditBalance")], ids=["read ahead", "bounded"]
)
async def test_balance_history_and_grants_of_a_page_are_of_one_moment(api: Api, document: str, type_name: str) -> None:
    person = await new_person(api.database)
    variables = {"id": str(GlobalId(type_name, person.user.personal_workspace_id))}
    seen: set[str] = set()

    async def look(client: Client, pages: int) -> None:
        for _ in range(pages):
            data = await client.run(document, **variables)
            balance = data["node"] if "node" in data else data["workspace"]["creditBalance"]
            _assert_agrees(balance)
            seen.add(balance["version"])

    async with _moving(api.database, person) as moved, api.program(person.token) as client:
        await asyncio.gather(*(look(client, _PAGES // _AT_ONCE) for _ in range(_AT_ONCE)))
        assert moved() > 10
    # it moved while it was looked at
    assert len(seen) > 10
