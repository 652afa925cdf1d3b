"""Events that nobody should believe."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import func, select

from app.db.tables.provider import ProviderEventRow
from tests.flows.provider_events.stories import ASKING, Customer, Event, deliver, report, signature, somebody
from tests.support.running_backend import RunningBackend


async def _waiting_for_its_holder(backend: RunningBackend) -> tuple[Customer, Event]:
    """Somebody whose payment is not confirmed, and an event that says it was paid."""
    customer = await somebody(backend)
    await backend.sandbox.deliver("drop")
    await customer.save_card(ASKING)
    await customer.recharge_asking()
    [about] = [event for event in await customer.news() if event["type"] == "invoice.finalized"]
    invoice = {**about["data"]["object"], "status": "paid", "amount_paid": about["data"]["object"]["total"]}
    return customer, {**about, "id": f"{about['id']}_forged", "type": "invoice.paid", "data": {"object": invoice}}


async def _kept(backend: RunningBackend, event: Event) -> bool:
    found = select(func.count()).where(ProviderEventRow.id == event["id"])
    async with backend.database.read() as session:
        return bool(await session.scalar(found))


@pytest.mark.parametrize("forgery", ["unsigned", "another secret", "changed after signing", "signed an hour ago"])
async def test_a_forged_event_is_refused_and_changes_nothing(backend: RunningBackend, forgery: str) -> None:
    customer, event = await _waiting_for_its_holder(backend)
    [secret] = backend.parts.event_secrets
    payload = orjson.dumps(event)
    before = await customer.ending()
    signed = {
        "unsigned": "",
        "another secret": signature(payload, "whsec_guessed"),
        "changed after signing": signature(payload.replace(b"paid", b"void"), secret),
        "signed an hour ago": signature(payload, secret, age_seconds=3600),
    }

    answer = await deliver(backend, payload, signed[forgery])
    await backend.advance("PT1M")

    assert answer.status_code == 400
    assert not await _kept(backend, event)
    assert await customer.ending() == before


async def test_an_event_that_says_what_is_not_so_credits_nothing(backend: RunningBackend) -> None:
    customer, event = await _waiting_for_its_holder(backend)
    before = await customer.ending()

    answer = await report(backend, event)
    await backend.advance("PT10S")

    assert answer.status_code == 200
    assert await _kept(backend, event)
    assert before["charged"] == []
    assert await customer.ending() == before
