"""Asking for events, where no webhook reaches: each is learned of once, none is passed over."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import select

from app.db.tables.provider import ProviderEventRow
from app.flows import provider_events
from app.payments.stripe_event_types import EVENT_TYPES
from app.store import billing_accounts as billing_account_store
from app.store import provider_events as provider_event_store
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend


async def _poll(backend: RunningBackend) -> int:
    return await provider_events.poll(backend.parts.flow_context, EVENT_TYPES)


async def _cursor(backend: RunningBackend) -> str | None:
    async with backend.database.read() as session:
        return await provider_event_store.cursor(session)


async def _catch_up(backend: RunningBackend) -> int:
    """Poll until there is nothing more to see; how many events were new."""
    new, before = await _poll(backend), None
    while before != (before := await _cursor(backend)):
        new += await _poll(backend)
    return new


async def _waiting_for_the_bank(backend: RunningBackend) -> tuple[Person, dict[str, str], str]:
    """Someone whose payment waits for the bank, of which no webhook will tell; the purchase and the bank's page."""
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_authenticationRequired")
    await backend.sandbox.deliver("drop")
    payload = await backend.recharge(person, key=uuid4().hex)
    return person, payload["purchase"], payload["userErrors"][0]["hostedUrl"]


async def test_a_payment_confirmed_at_the_bank_is_learned_of_by_asking(backend: RunningBackend) -> None:
    person, purchase, page = await _waiting_for_the_bank(backend)
    await _catch_up(backend)
    await backend.sandbox.answer_the_bank(page, "complete")
    unheard = await backend.purchase(purchase["id"], person)

    assert await _catch_up(backend) > 0

    async def settled() -> bool:
        return (await backend.purchase(purchase["id"], person))["status"] == "SUCCEEDED"

    assert unheard["status"] == "ACTION_REQUIRED"
    assert await eventually(settled)
    assert len(await backend.charges(person)) == 1
    assert len((await backend.history(person))["nodes"]) == 1


async def test_what_was_seen_is_not_new_again_and_what_was_delivered_is_not_either(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.recharge(person)
    await backend.sandbox.flush()
    async with backend.database.read() as session:
        delivered = set(await session.scalars(select(ProviderEventRow.id)))

    await _catch_up(backend)
    again = await _catch_up(backend)

    async with backend.database.read() as session:
        kept = list(await session.scalars(select(ProviderEventRow.id)))
    assert again == 0
    assert delivered <= set(kept)
    assert len(kept) == len(set(kept))
    assert len((await backend.history(person))["nodes"]) == 1


async def test_more_events_than_a_page_holds_are_all_seen_the_oldest_first(backend: RunningBackend) -> None:
    person, purchase, page = await _waiting_for_the_bank(backend)
    await _catch_up(backend)
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    await backend.sandbox.answer_the_bank(page, "complete")
    for number in range(120):
        changed = await backend.api.http.post(
            f"{backend.sandbox.url}/v1/customers/{account.customer_id}",
            data={"name": f"Name {number}"},
            headers={"authorization": "Bearer sk_test_sandbox"},
        )
        assert changed.status_code == 200, changed.text

    assert await _poll(backend) < 120
    assert await _catch_up(backend) > 0

    async def settled() -> bool:
        return (await backend.purchase(purchase["id"], person))["status"] == "SUCCEEDED"

    assert await eventually(settled)
    newest = (await backend.sandbox.listed("/v1/events"))[0]["id"]
    assert await _cursor(backend) == newest
