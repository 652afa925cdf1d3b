"""Add-ons counted by owners and by the host's servers: charged at once, given back when the period ends, never lost at once."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
import pytest_asyncio

from app.accounts.access.permissions import ApiScope
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    codes,
    paid_minor,
    phone_numbers,
    set_phone_numbers,
    stripe_subscriptions,
    subscribe,
    subscription,
)

pytestmark = pytest.mark.catalogs("messaging")

_SERVERS = 20


@pytest_asyncio.fixture
async def person(backend: RunningBackend) -> Person:
    """Someone on Business with three seats and two phone numbers."""
    person = await backend.sign_up()
    await subscribe(backend, person, "business", seats=3, addOns=[{"addOnCode": "phone-numbers", "quantity": 2}])
    return person


@pytest_asyncio.fixture
async def server(backend: RunningBackend) -> str:
    """The token of a server of the host product's."""
    return await backend.service_key(ApiScope.BILLING_READ, ApiScope.BILLING_WRITE)


async def test_more_are_charged_for_the_rest_of_the_period(
    backend: RunningBackend, person: Person, server: str
) -> None:
    answer = await set_phone_numbers(backend, person, 5, token=server, expectedQuantity=2)

    assert codes(answer) == []
    assert phone_numbers(answer["subscription"]) == 5
    # three more at 4.00 and 7.5 % tax, but for the seconds that passed
    assert abs(paid_minor(await backend.charges(person))[1] - 1290) <= 1


async def test_fewer_are_given_back_when_the_period_ends(backend: RunningBackend, person: Person, server: str) -> None:
    answer = await set_phone_numbers(backend, person, 1, token=server, expectedQuantity=2)

    assert codes(answer) == []
    assert phone_numbers(answer["subscription"]) == 2
    assert answer["subscription"]["pendingChange"]["kind"] == "DOWNGRADE"
    assert answer["subscription"]["pendingChange"]["addOns"] == [{"quantity": 1}]
    assert len(await backend.charges(person)) == 1


async def test_what_a_server_adds_drops_neither_a_downgrade_nor_the_end(
    backend: RunningBackend, person: Person, server: str
) -> None:
    assert codes(await change_plan(backend, person, "starter")) == []
    answer = await set_phone_numbers(backend, person, 3, token=server, expectedQuantity=2)
    assert codes(answer) == []
    pending = answer["subscription"]["pendingChange"]
    assert (pending["kind"], pending["plan"]["code"], pending["addOns"]) == ("DOWNGRADE", "starter", [{"quantity": 3}])
    assert phone_numbers(answer["subscription"]) == 3

    assert codes(await cancel(backend, person)) == []
    answer = await set_phone_numbers(backend, person, 4, token=server, expectedQuantity=3)
    assert codes(answer) == []
    assert answer["subscription"]["cancelAtPeriodEnd"] is True
    assert phone_numbers(answer["subscription"]) == 4
    [stripe] = await stripe_subscriptions(backend, person)
    period_end = datetime.fromisoformat(answer["subscription"]["currentPeriod"]["end"])
    assert stripe["cancel_at"] == int(period_end.timestamp())


async def test_an_owners_own_change_takes_the_place_of_what_is_pending(backend: RunningBackend, person: Person) -> None:
    assert codes(await change_plan(backend, person, "starter")) == []
    answer = await set_phone_numbers(backend, person, 3)
    assert codes(answer) == []
    assert answer["subscription"]["pendingChange"] is None


async def test_twenty_servers_that_add_one_each_end_twenty_higher(
    backend: RunningBackend, person: Person, server: str
) -> None:
    async def add_one(number: int) -> None:
        while True:
            read = phone_numbers(await subscription(backend, person))
            # each try is another change, so it has a key of its own
            key = f"server {number} from {read}"
            answer = await set_phone_numbers(
                backend, person, read + 1, token=server, expectedQuantity=read, idempotencyKey=key
            )
            if not codes(answer):
                return
            assert codes(answer) in (["CONFLICT"], ["PAYMENT_PENDING"])

    await asyncio.gather(*(add_one(number) for number in range(_SERVERS)))

    assert phone_numbers(await subscription(backend, person)) == 2 + _SERVERS
    [stripe] = await stripe_subscriptions(backend, person)
    assert 2 + _SERVERS in [item["quantity"] for item in stripe["items"]["data"]]
    charged = paid_minor(await backend.charges(person))
    assert len(charged) == 1 + _SERVERS
    assert abs(sum(charged[1:]) - 430 * _SERVERS) <= 2 * _SERVERS


async def test_the_same_key_adds_once(backend: RunningBackend, person: Person, server: str) -> None:
    asked = [
        set_phone_numbers(backend, person, 3, token=server, expectedQuantity=2, idempotencyKey="one") for _ in range(5)
    ]
    answers = await asyncio.gather(*asked)
    assert {tuple(codes(answer)) for answer in answers} == {()}
    assert len(await backend.charges(person)) == 2


async def test_a_key_that_only_reads_changes_nothing(backend: RunningBackend, person: Person) -> None:
    reader = await backend.service_key(ApiScope.BILLING_READ)
    given = {
        "input": {"workspaceId": person.workspace, "addOnCode": "phone-numbers", "quantity": 9, "idempotencyKey": "k"}
    }
    document = "mutation ($input: SetAddOnQuantityInput!) { setAddOnQuantity(input: $input) { userErrors { code } } }"
    [error] = (await backend.api.send(document, given, token=reader)).json()["errors"]
    assert error["extensions"]["code"] in ("FORBIDDEN", "NOT_FOUND")
    assert phone_numbers(await subscription(backend, person)) == 2


async def test_a_workspace_without_a_paid_plan_has_no_add_ons(backend: RunningBackend, server: str) -> None:
    nobody = await backend.sign_up()
    answer = await set_phone_numbers(backend, nobody, 1, token=server)
    assert codes(answer) == ["CONFLICT"]
    assert "createCheckout" in answer["userErrors"][0]["message"]
