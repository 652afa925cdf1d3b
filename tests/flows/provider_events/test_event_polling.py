"""Asking for events, where no webhook reaches: each is learned of once, none is passed over."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import select

from app.db.tables.provider import ProviderEventRow
from app.flows import provider_events
from app.payments.stripe_events import EVENT_TYPES
from app.store import billing_accounts as billing_account_store
from app.store import provider_events as provider_event_store
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningHouse


async def _poll(house: RunningHouse) -> int:
    return await provider_events.poll(house.house.desk, EVENT_TYPES)


async def _cursor(house: RunningHouse) -> str | None:
    async with house.database.read() as session:
        return await provider_event_store.cursor(session)


async def _catch_up(house: RunningHouse) -> int:
    """Poll until there is nothing more to see; how many events were new."""
    new, before = await _poll(house), None
    while before != (before := await _cursor(house)):
        new += await _poll(house)
    return new


async def _waiting_for_the_bank(house: RunningHouse) -> tuple[Person, dict[str, str], str]:
    """Someone whose payment waits for the bank, of which no webhook will tell; the purchase and the bank's page."""
    person = await house.sign_up()
    await house.add_card(person, "pm_card_authenticationRequired")
    await house.sandbox.deliver("drop")
    payload = await house.recharge(person, key=uuid4().hex)
    return person, payload["purchase"], payload["userErrors"][0]["hostedUrl"]


async def test_a_payment_confirmed_at_the_bank_is_learned_of_by_asking(house: RunningHouse) -> None:
    person, purchase, page = await _waiting_for_the_bank(house)
    await _catch_up(house)
    await house.sandbox.answer_the_bank(page, "complete")
    unheard = await house.purchase(purchase["id"], person)

    assert await _catch_up(house) > 0

    async def settled() -> bool:
        return (await house.purchase(purchase["id"], person))["status"] == "SUCCEEDED"

    assert unheard["status"] == "ACTION_REQUIRED"
    assert await eventually(settled)
    assert len(await house.charges(person)) == 1
    assert len((await house.history(person))["nodes"]) == 1


async def test_what_was_seen_is_not_new_again_and_what_was_delivered_is_not_either(house: RunningHouse) -> None:
    person = await house.sign_up()
    await house.add_card(person)
    await house.recharge(person)
    await house.sandbox.flush()
    async with house.database.read() as session:
        delivered = set(await session.scalars(select(ProviderEventRow.id)))

    await _catch_up(house)
    again = await _catch_up(house)

    async with house.database.read() as session:
        kept = list(await session.scalars(select(ProviderEventRow.id)))
    assert again == 0
    assert delivered <= set(kept)
    assert len(kept) == len(set(kept))
    assert len((await house.history(person))["nodes"]) == 1


async def test_more_events_than_a_page_holds_are_all_seen_the_oldest_first(house: RunningHouse) -> None:
    person, purchase, page = await _waiting_for_the_bank(house)
    await _catch_up(house)
    async with house.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    await house.sandbox.answer_the_bank(page, "complete")
    for number in range(120):
        changed = await house.api.http.post(
            f"{house.sandbox.url}/v1/customers/{account.customer_id}",
            data={"name": f"Name {number}"},
            headers={"authorization": "Bearer sk_test_sandbox"},
        )
        assert changed.status_code == 200, changed.text

    assert await _poll(house) < 120
    assert await _catch_up(house) > 0

    async def settled() -> bool:
        return (await house.purchase(purchase["id"], person))["status"] == "SUCCEEDED"

    assert await eventually(settled)
    newest = (await house.sandbox.listed("/v1/events"))[0]["id"]
    assert await _cursor(house) == newest
