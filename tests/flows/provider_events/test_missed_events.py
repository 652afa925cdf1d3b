"""Events that were lost are found in Stripe's list of events, so that nothing waits for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from app.db.tables.provider import ProviderEventRow
from app.db.unit_of_work import transact
from app.flows import provider_events
from app.jobs.due_works import provider_works
from app.jobs.schedule import run_due
from app.payments.stripe_event_types import EVENT_TYPES
from app.store import billing_accounts as billing_account_store
from app.store import provider_events as provider_event_store
from tests.support import operations
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend


async def _look(backend: RunningBackend) -> int:
    """What the worker does each minute, with what happened up to now."""
    now = backend.database.clock.now()
    since, until = now - timedelta(minutes=10), now + timedelta(minutes=1)
    return await provider_events.receive_missed(backend.parts.flow_context, EVENT_TYPES, since=since, until=until)


async def _card(backend: RunningBackend, person: Person) -> dict[str, Any]:
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    [card] = await backend.sandbox.listed("/v1/payment_methods", customer=account.customer_id or "", type="card")
    return card


async def test_a_card_saved_while_every_event_is_lost_appears_by_itself(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.sandbox.deliver("drop")
    given = {"input": {"workspaceId": person.workspace}}
    begun = (await backend.api.query(operations.ADD_CARD, given, token=person.token))["addPaymentMethod"]
    await backend.sandbox.confirm_setup(begun["clientSecret"], "pm_card_visa", "pk_test_sandbox")
    before = await backend.cards(person)

    assert await _look(backend) > 0

    [card] = await eventually(lambda: backend.cards(person))
    assert before == []
    assert (card["brand"], card["isDefault"]) == ("visa", True)


@pytest.mark.parametrize("mode", ["normal", "drop"])
async def test_a_card_that_its_network_renews_shows_its_new_digits(backend: RunningBackend, mode: str) -> None:
    person = await backend.sign_up()
    card_id = await backend.add_card(person)
    await backend.sandbox.deliver(mode)
    card = await _card(backend, person)

    renewed = await backend.api.http.post(
        f"{backend.sandbox.url}/_sandbox/payment_methods/{card['id']}/renew", json={"last4": "9999", "exp_year": 2048}
    )
    renewed.raise_for_status()
    if mode == "drop":
        assert await _look(backend) > 0

    async def shown() -> dict[str, Any] | None:
        [now] = await backend.cards(person)
        return now if now["last4"] == "9999" else None

    assert ((await eventually(shown)) or {})["id"] == card_id


async def test_an_invoice_voided_while_every_event_is_lost_is_mirrored(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_authenticationRequired")
    await backend.recharge(person)
    await backend.sandbox.deliver("drop")
    [invoice] = await backend.stripe_invoices(person)
    await backend.sandbox.post(f"/v1/invoices/{invoice['id']}/void")

    assert await _look(backend) > 0

    async def void() -> bool:
        [mirrored] = await backend.invoices(person)
        return mirrored["status"] == "VOID"

    assert await eventually(void)


async def test_an_event_is_left_alone_while_it_may_be_on_its_way_and_once_it_has_arrived(
    own_backend: RunningBackend,
) -> None:
    person = await own_backend.sign_up()
    await own_backend.add_card(person)
    await own_backend.sandbox.flush()
    await own_backend.sandbox.deliver("drop")
    card = await _card(own_backend, person)
    await own_backend.sandbox.post(f"/v1/payment_methods/{card['id']}/detach")

    assert await _missed_by_the_worker(own_backend) == 0
    own_backend.database.clock.offset += timedelta(minutes=1)
    assert await _missed_by_the_worker(own_backend) > 0
    assert await _missed_by_the_worker(own_backend) == 0


async def test_an_event_that_the_queue_gave_up_is_processed_once_stripe_answers_again(backend: RunningBackend) -> None:
    """Its key was refused for a night, say: longer than the queue tries."""
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.flush()
    card = await _card(backend, person)
    await backend.sandbox.deliver("drop")
    await backend.sandbox.post(f"/v1/payment_methods/{card['id']}/detach")
    long_ago = backend.database.clock.real_now() - timedelta(hours=5)
    await _receive_without_a_job(backend, "payment_method.detached", card["id"], at=long_ago)
    window = {"since": long_ago, "until": long_ago + timedelta(minutes=1)}

    found = await provider_events.process_given_up(backend.parts.flow_context, **window)

    assert found == 1
    assert await backend.cards(person) == []
    assert await provider_events.process_given_up(backend.parts.flow_context, **window) == 0


async def _receive_without_a_job(backend: RunningBackend, event_type: str, object_id: str, *, at: datetime) -> None:
    row = ProviderEventRow(
        id=f"evt_{uuid4().hex}", type=event_type, object_id=object_id, customer_id=None, created_at=at, received_at=at
    )
    assert await transact(backend.database, lambda session: provider_event_store.receive(session, row))


async def _missed_by_the_worker(backend: RunningBackend) -> int:
    """How many a worker that has just been started finds the first time that it looks."""

    async def nothing() -> None:
        return None

    works = provider_works(
        backend.parts.flow_context, nothing, event_types=EVENT_TYPES, look_every=timedelta(minutes=1), at_once=True
    )
    with capture_logs() as logs:
        found = await run_due(works)
    assert [line for line in logs if line["event"] == "due_work.failed"] == []
    return found
