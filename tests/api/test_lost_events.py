"""Whatever Stripe already knows is not waited for: no event arrives here, or each comes an hour late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from app.billing.purchases.purchase_states import CHECK_SOON_EVERY
from app.db.reads import read_rows
from app.store import billing_accounts as billing_account_store
from app.store import purchases as purchase_store
from resolvers.purchases import LAST_ID
from tests.support import operations
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

CHECKOUT = """mutation ($input: RechargeCreditsInput!) { rechargeCredits(input: $input) {
  purchase { id status } checkoutUrl creditBalance { available }
  userErrors { code ... on PaymentActionRequired { hostedUrl } } } }"""
WATCH = "subscription ($id: ID!) { creditPurchaseChanged(id: $id) { status version } }"
WATCH_CARDS = "subscription ($id: ID!) { paymentMethodsChanged(workspaceId: $id) { paymentMethods { brand } } }"
ADD_CARD = """mutation ($input: AddPaymentMethodInput!) { addPaymentMethod(input: $input) {
  clientSecret hostedUrl userErrors { code } } }"""


@pytest_asyncio.fixture(params=["drop", "hold"])
async def deaf(backend: RunningBackend, request: pytest.FixtureRequest) -> AsyncGenerator[RunningBackend]:
    """The product, which no event reaches."""
    await backend.sandbox.deliver(request.param)
    yield backend
    await backend.sandbox.restore()
    await backend.sandbox.flush()


async def _buy(backend: RunningBackend, person: Person, key: str | None = None, **order: object) -> dict[str, Any]:
    given = {"workspaceId": person.workspace, "packCode": "starter", "idempotencyKey": key or uuid4().hex, **order}
    return (await backend.api.query(CHECKOUT, {"input": given}, token=person.token))["rechargeCredits"]


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def _pay(backend: RunningBackend, url: str) -> str:
    """Pay on a hosted page; where that leads to."""
    paid = await backend.api.http.post(url, data={"card": "4242424242424242"}, follow_redirects=False)
    assert paid.status_code == 303
    return paid.headers["location"]


async def _stored_status(backend: RunningBackend, person: Person) -> str:
    """The status of the only purchase as it is stored: reading it by the API would have it looked at."""
    [purchase] = await read_rows(backend.database, purchase_store.PAGE, person.workspace_id, 2, LAST_ID)
    return purchase.status


async def _becomes(backend: RunningBackend, person: Person, status: str) -> None:
    async def look() -> bool:
        return await _stored_status(backend, person) == status

    await eventually(look)


async def test_the_same_key_answers_that_the_page_was_paid(deaf: RunningBackend) -> None:
    person, key = await deaf.sign_up(), uuid4().hex
    opened = await _buy(deaf, person, key)
    waiting = await _buy(deaf, person, key)
    await _pay(deaf, opened["checkoutUrl"])

    paid = await _buy(deaf, person, key)

    assert (_codes(waiting), waiting["checkoutUrl"]) == (["PAYMENT_METHOD_REQUIRED"], opened["checkoutUrl"])
    assert (_codes(paid), paid["purchase"]["status"], paid["checkoutUrl"]) == ([], "SUCCEEDED", None)
    assert paid["creditBalance"]["available"] == "1000000"
    # the card that the page saved is there too
    assert [card["last4"] for card in await deaf.cards(person)] == ["4242"]


async def test_the_same_key_answers_that_the_bank_was_told_yes(deaf: RunningBackend) -> None:
    person, key = await deaf.sign_up(), uuid4().hex
    await deaf.sandbox.restore()
    card = await deaf.add_card(person, "pm_card_authenticationRequired")
    await deaf.sandbox.deliver("drop")
    asked = await _buy(deaf, person, key, paymentMethodId=card)
    await deaf.sandbox.answer_the_bank(asked["userErrors"][0]["hostedUrl"], "complete")

    paid = await _buy(deaf, person, key, paymentMethodId=card)

    assert _codes(asked) == ["PAYMENT_ACTION_REQUIRED"]
    assert (_codes(paid), paid["purchase"]["status"]) == ([], "SUCCEEDED")


async def test_who_has_paid_and_was_not_told_is_not_charged_by_asking_with_another_key(deaf: RunningBackend) -> None:
    person = await deaf.sign_up()
    opened = await _buy(deaf, person)
    await _pay(deaf, opened["checkoutUrl"])

    other = await _buy(deaf, person)
    balance = await deaf.balance(person)
    wanted = await _buy(deaf, person)

    assert (_codes(other), other["purchase"]) == (["CONFLICT"], None)
    assert balance["available"] == "1000000"
    # now that they know, they may buy more
    assert _codes(wanted) == []
    assert len(await deaf.charges(person)) == 2


async def test_reading_a_purchase_has_it_looked_at(deaf: RunningBackend) -> None:
    person = await deaf.sign_up()
    opened = await _buy(deaf, person)
    await _pay(deaf, opened["checkoutUrl"])

    assert (await deaf.purchase(opened["purchase"]["id"], person))["status"] == "PENDING"

    await _becomes(deaf, person, "SUCCEEDED")


async def test_listing_purchases_has_them_looked_at(deaf: RunningBackend) -> None:
    person = await deaf.sign_up()
    await _pay(deaf, (await _buy(deaf, person))["checkoutUrl"])

    await deaf.api.query(operations.PURCHASES, {"id": person.workspace}, token=person.token)

    await _becomes(deaf, person, "SUCCEEDED")


async def test_watching_a_purchase_has_it_looked_at(deaf: RunningBackend) -> None:
    person = await deaf.sign_up()
    opened = await _buy(deaf, person)
    await _pay(deaf, opened["checkoutUrl"])

    async with deaf.api.socket(person.token) as socket:
        first = await socket.subscribe(WATCH, {"id": opened["purchase"]["id"]})
        last = await socket.until(lambda state: state["status"] == "SUCCEEDED")

    assert first["status"] == "PENDING"
    assert int(last["version"]) > int(first["version"])


async def test_coming_back_from_the_page_has_the_purchase_looked_at(deaf: RunningBackend) -> None:
    person = await deaf.sign_up()
    back = await _pay(deaf, (await _buy(deaf, person))["checkoutUrl"])

    assert back.startswith(f"{deaf.parts.settings.base_url}/done?page=cs_")
    assert (await deaf.api.http.get(back)).status_code == 200

    await _becomes(deaf, person, "SUCCEEDED")


async def test_reading_a_purchase_again_and_again_asks_stripe_no_more_than_every_few_seconds(
    deaf: RunningBackend,
) -> None:
    person = await deaf.sign_up()
    opened = await _buy(deaf, person)
    asked = len(await deaf.sandbox.requests("/v1/checkout/sessions/.*", method="GET"))
    begun = time.monotonic()

    for _ in range(30):
        await deaf.purchase(opened["purchase"]["id"], person)
        await asyncio.sleep(0.1)

    # however long the reading took
    may_ask = 2 + (time.monotonic() - begun) / CHECK_SOON_EVERY.total_seconds()
    assert len(await deaf.sandbox.requests("/v1/checkout/sessions/.*", method="GET")) - asked <= may_ask


async def test_a_page_is_looked_at_every_minute_or_two_while_it_is_open(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    await own_backend.sandbox.deliver("drop")
    opened = await _buy(own_backend, person)
    await own_backend.advance("PT5M")
    await _pay(own_backend, opened["checkoutUrl"])
    assert await _stored_status(own_backend, person) == "PENDING"

    await own_backend.advance("PT2M")

    await _becomes(own_backend, person, "SUCCEEDED")


async def test_a_confirmation_is_looked_for_every_minute_or_two(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    card = await own_backend.add_card(person, "pm_card_authenticationRequired")
    await own_backend.sandbox.deliver("drop")
    asked = await _buy(own_backend, person, paymentMethodId=card)
    await own_backend.advance("PT5M")
    await own_backend.sandbox.answer_the_bank(asked["userErrors"][0]["hostedUrl"], "complete")

    await own_backend.advance("PT2M")

    await _becomes(own_backend, person, "SUCCEEDED")


async def _save_card(backend: RunningBackend, person: Person) -> None:
    given = {"input": {"workspaceId": person.workspace}}
    begun = (await backend.api.query(ADD_CARD, given, token=person.token))["addPaymentMethod"]
    key = (await backend.api.query(operations.PUBLISHABLE_KEY))["catalog"]["stripePublishableKey"]
    await backend.sandbox.confirm_setup(begun["clientSecret"], "pm_card_visa", key)


async def test_reading_the_cards_has_a_card_found_that_was_saved(deaf: RunningBackend) -> None:
    person = await deaf.sign_up()
    await _save_card(deaf, person)

    assert await eventually(lambda: deaf.cards(person))


async def test_watching_the_cards_has_a_card_found_that_was_saved(deaf: RunningBackend) -> None:
    person = await deaf.sign_up()
    await _save_card(deaf, person)

    async with deaf.api.socket(person.token) as socket:
        await socket.subscribe(WATCH_CARDS, {"id": person.workspace})
        await socket.until(lambda state: bool(state["paymentMethods"]))


async def test_coming_back_from_the_page_to_save_a_card_has_it_found(deaf: RunningBackend) -> None:
    person = await deaf.sign_up()
    given = {"input": {"workspaceId": person.workspace}}
    begun = (await deaf.api.query(ADD_CARD, given, token=person.token))["addPaymentMethod"]

    back = await _pay(deaf, begun["hostedUrl"])
    await deaf.api.http.get(back)

    async def stored() -> int:
        async with deaf.database.read() as session:
            return len(await billing_account_store.cards(session, person.workspace_id))

    assert await eventually(stored) == 1


async def test_a_card_that_was_saved_is_found_while_nobody_looks(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    await own_backend.sandbox.deliver("drop")
    await _save_card(own_backend, person)

    await own_backend.advance("PT2M")

    async with own_backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
        assert len(await billing_account_store.cards(session, person.workspace_id)) == 1
    # the form has done its work
    assert account is not None
    assert account.cards_check_at is None
