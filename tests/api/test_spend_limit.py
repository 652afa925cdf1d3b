"""The monthly spend limit: refused before the card is touched."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.billing.purchases.spend_limits import set_limit
from app.db.unit_of_work import transact
from app.errors import NotFound
from app.money import Money
from app.store import workspaces as workspace_store
from tests.support.running_backend import Person, RunningBackend

pytestmark = pytest.mark.catalogs("compute")

SPEND = "query ($id: ID!) { workspace(id: $id) { spend { spent { amount currency } limit { amount } period { start end } } } }"


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def _buyer(backend: RunningBackend) -> Person:
    person = await backend.sign_up()
    await backend.add_card(person)
    return person


async def _raise_limit(backend: RunningBackend, person: Person, limit: Money | None) -> str:
    async with backend.database.read() as session:
        workspace = await workspace_store.get(session, person.workspace_id)
    assert workspace is not None
    handle = workspace.handle
    return await transact(
        backend.database, lambda session: set_limit(session, backend.parts.runtime.catalog, handle, limit)
    )


async def test_what_would_pass_the_limit_with_its_tax_is_refused_and_no_card_is_touched(
    backend: RunningBackend,
) -> None:
    person = await _buyer(backend)

    refused = await backend.recharge(person, amount="95.00")

    assert _codes(refused) == ["SPEND_LIMIT_REACHED"]
    assert "100.00" in refused["userErrors"][0]["message"]
    assert await backend.charges(person) == []
    assert [each for each in await backend.stripe_invoices(person) if each["status"] == "open"] == []
    assert (await backend.balance(person))["available"] == "0.000000"


async def test_a_refused_recharge_is_not_remembered_by_its_key(backend: RunningBackend) -> None:
    person = await _buyer(backend)
    await backend.recharge(person, amount="95.00", key="the-same")

    payload = await backend.recharge(person, amount="20.00", key="the-same")

    assert payload["userErrors"] == []


async def test_recharges_at_once_never_pass_the_limit_together(backend: RunningBackend) -> None:
    person = await _buyer(backend)

    payloads = await asyncio.gather(*(backend.recharge(person, amount="30.00") for _ in range(6)))

    succeeded = [each for each in payloads if not each["userErrors"]]
    charged = sum(charge["amount"] for charge in await backend.charges(person))
    assert 1 <= len(succeeded) <= 3
    assert charged == len(succeeded) * 3248 <= 10_000
    assert {code for each in payloads for code in _codes(each)} <= {"SPEND_LIMIT_REACHED"}


async def test_what_was_spent_and_the_limit_are_shown_for_the_calendar_month(backend: RunningBackend) -> None:
    person = await _buyer(backend)
    await backend.recharge(person, amount="20.00")

    spend = (await backend.api.query(SPEND, {"id": person.workspace}, token=person.token))["workspace"]["spend"]

    assert spend["spent"] == {"amount": "21.65", "currency": "USD"}
    assert spend["limit"] == {"amount": "100.00"}
    assert spend["period"]["start"].endswith("-01T00:00:00Z")


async def test_an_operator_raises_the_limit_and_goes_back_to_the_plans(backend: RunningBackend) -> None:
    person = await _buyer(backend)
    assert _codes(await backend.recharge(person, amount="150.00")) == ["SPEND_LIMIT_REACHED"]

    await _raise_limit(backend, person, Money(50_000, "USD"))
    assert (await backend.recharge(person, amount="150.00"))["userErrors"] == []

    await _raise_limit(backend, person, None)
    assert _codes(await backend.recharge(person, amount="5.00")) == ["SPEND_LIMIT_REACHED"]


async def test_a_limit_of_a_workspace_that_is_not_there_is_refused(backend: RunningBackend) -> None:
    with pytest.raises(NotFound, match="no workspace with the handle 'nobody-at-all'"):
        await transact(
            backend.database, lambda session: set_limit(session, backend.parts.runtime.catalog, "nobody-at-all", None)
        )
