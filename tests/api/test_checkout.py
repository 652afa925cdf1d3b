"""Checkout: paying on a hosted page without a card on file."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.store import billing_accounts as billing_account_store
from app.store import purchases as purchase_store
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

RECHARGE = """mutation ($input: RechargeCreditsInput!) { rechargeCredits(input: $input) {
  checkoutUrl purchase { id status checkoutUrl failure price { amount } } creditBalance { available }
  userErrors { code message path } } }"""
PURCHASE = (
    "query ($id: ID!) { node(id: $id) { ... on CreditPurchase { status failure checkoutUrl invoice { status } } } }"
)

BOTH = pytest.mark.catalogs("analytics", "compute")


def _order(backend: RunningBackend, person: Person, **more: object) -> dict[str, object]:
    what = {"packCode": "starter"} if backend.catalog == "analytics" else {"amount": "20.00"}
    return {"workspaceId": person.workspace, "idempotencyKey": uuid4().hex, **what, **more}


async def _open(backend: RunningBackend, person: Person, **more: object) -> dict[str, Any]:
    order = _order(backend, person, **more)
    return (await backend.api.query(RECHARGE, {"input": order}, token=person.token))["rechargeCredits"]


async def _purchase(backend: RunningBackend, person: Person, purchase_id: str) -> dict[str, Any]:
    return (await backend.api.query(PURCHASE, {"id": purchase_id}, token=person.token))["node"]


async def _pay(backend: RunningBackend, url: str, card: str = "pm_card_visa") -> int:
    return (await backend.api.http.post(url, data={"card": card}, follow_redirects=False)).status_code


async def _ended(backend: RunningBackend, person: Person, purchase_id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = await _purchase(backend, person, purchase_id)
        return found if found["status"] != "PENDING" else None

    found = await eventually(look)
    assert found is not None
    return found


@BOTH
async def test_without_a_card_the_answer_says_where_to_pay_and_paying_there_credits_once(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()

    opened = await _open(backend, person)

    assert [error["code"] for error in opened["userErrors"]] == ["PAYMENT_METHOD_REQUIRED"]
    assert opened["purchase"]["status"] == "PENDING"
    assert opened["checkoutUrl"] == opened["purchase"]["checkoutUrl"]
    assert (await backend.api.http.get(opened["checkoutUrl"])).status_code == 200

    assert await _pay(backend, opened["checkoutUrl"]) == 303
    purchase = await _ended(backend, person, opened["purchase"]["id"])
    assert purchase["status"] == "SUCCEEDED"
    assert purchase["checkoutUrl"] is None
    assert purchase["invoice"] == {"status": "PAID"}
    [grant] = (await backend.balance(person))["grants"]
    assert grant["source"] == "PURCHASE"
    assert len(await backend.charges(person)) == 1


async def test_the_card_that_paid_a_checkout_is_on_file_for_the_next_recharge(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    opened = await _open(backend, person)
    await _pay(backend, opened["checkoutUrl"])
    await _ended(backend, person, opened["purchase"]["id"])
    await eventually(lambda: backend.cards(person))

    payload = await backend.recharge(person)

    assert payload["purchase"]["status"] == "SUCCEEDED"


async def test_a_declined_card_leaves_the_page_open_for_another(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    opened = await _open(backend, person)

    assert await _pay(backend, opened["checkoutUrl"], "pm_card_chargeDeclined") == 402
    assert (await _purchase(backend, person, opened["purchase"]["id"]))["status"] == "PENDING"
    assert await _pay(backend, opened["checkoutUrl"]) == 303
    assert (await _ended(backend, person, opened["purchase"]["id"]))["status"] == "SUCCEEDED"


async def test_the_same_key_answers_with_the_same_page_at_once(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    key = uuid4().hex

    first = await _open(backend, person, idempotencyKey=key)
    again = await _open(backend, person, idempotencyKey=key)

    assert again == first


async def test_a_page_that_is_gone_at_the_provider_ends_its_purchase_and_the_next_can_be_opened(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    first = await _open(backend, person)
    async with backend.database.raw() as connection:
        # its account's test data was deleted
        await connection.execute(
            "UPDATE credit_purchases SET checkout_session_id = 'cs_test_gone' || id WHERE workspace_id = $1",
            person.workspace_id,
        )

    second = await _open(backend, person)

    assert [error["code"] for error in second["userErrors"]] == ["PAYMENT_METHOD_REQUIRED"]
    assert (await _purchase(backend, person, first["purchase"]["id"]))["status"] == "EXPIRED"
    assert await _pay(backend, second["checkoutUrl"]) == 303
    assert (await _ended(backend, person, second["purchase"]["id"]))["status"] == "SUCCEEDED"


async def test_opening_another_checkout_closes_the_first(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    first = await _open(backend, person)

    second = await _open(backend, person)

    closed = await _purchase(backend, person, first["purchase"]["id"])
    assert (closed["status"], closed["checkoutUrl"]) == ("EXPIRED", None)
    assert await _pay(backend, first["checkoutUrl"]) == 400
    assert await _pay(backend, second["checkoutUrl"]) == 303
    assert (await _ended(backend, person, second["purchase"]["id"]))["status"] == "SUCCEEDED"
    assert len(await backend.charges(person)) == 1


async def test_of_checkouts_opened_at_once_one_stays_open(backend: RunningBackend) -> None:
    person = await backend.sign_up()

    await asyncio.gather(
        *(backend.api.send(RECHARGE, {"input": _order(backend, person)}, token=person.token) for _ in range(5))
    )

    async with backend.database.read() as session:
        assert len(await purchase_store.open_checkouts(session, person.workspace_id)) == 1


async def test_a_checkout_that_nobody_pays_expires_after_half_an_hour(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    opened = await _open(own_backend, person)

    await own_backend.advance("PT29M")
    assert (await _purchase(own_backend, person, opened["purchase"]["id"]))["status"] == "PENDING"
    await own_backend.advance("PT3M")

    expired = await _ended(own_backend, person, opened["purchase"]["id"])
    assert expired["status"] == "EXPIRED"
    assert (await own_backend.balance(person))["available"] == "0"
    assert await own_backend.charges(person) == []


async def test_a_checkout_paid_while_no_event_arrives_is_credited_by_the_reconciler(
    own_backend: RunningBackend,
) -> None:
    person = await own_backend.sign_up()
    opened = await _open(own_backend, person)
    await own_backend.sandbox.deliver("drop")

    assert await _pay(own_backend, opened["checkoutUrl"]) == 303
    await own_backend.advance("PT40M")

    assert (await _ended(own_backend, person, opened["purchase"]["id"]))["status"] == "SUCCEEDED"
    assert (await own_backend.balance(person))["available"] == "1000000"


@pytest.mark.catalogs("compute")
async def test_an_open_checkout_counts_against_the_monthly_limit_until_it_is_closed(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    opened = await _open(backend, person, amount="80.00")
    await backend.add_card(person)

    refused = await backend.recharge(person, amount="30.00")
    assert [error["code"] for error in refused["userErrors"]] == ["SPEND_LIMIT_REACHED"]
    assert await backend.charges(person) == []

    assert await _pay(backend, opened["checkoutUrl"]) == 303
    assert (await _ended(backend, person, opened["purchase"]["id"]))["status"] == "SUCCEEDED"


@pytest.mark.catalogs("compute")
async def test_a_checkout_past_the_monthly_limit_is_refused_and_leaves_no_page_open(backend: RunningBackend) -> None:
    person = await backend.sign_up()

    refused = await _open(backend, person, amount="100.00")

    assert [error["code"] for error in refused["userErrors"]] == ["SPEND_LIMIT_REACHED"]
    assert refused["checkoutUrl"] is None
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    pages = await backend.sandbox.listed("/v1/checkout/sessions", customer=account.customer_id or "")
    assert {page["status"] for page in pages} == {"expired"}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/back",
        "javascript:alert(1)",
        "//evil.example",
        "https://127.0.0.1@evil.example/",
        "http://localhost.evil.example/",
        "https://evil.example\\@localhost/",
        "not a url",
        "",
    ],
)
async def test_an_address_to_come_back_to_must_be_on_the_list(backend: RunningBackend, url: str) -> None:
    person = await backend.sign_up()

    refused = await _open(backend, person, successUrl=url)

    assert [(error["code"], error["path"]) for error in refused["userErrors"]] == [
        ("URL_NOT_ALLOWED", ["input", "successUrl"])
    ]
    assert refused["purchase"] is None


async def test_paying_leads_back_to_the_address_that_was_given(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    opened = await _open(backend, person, successUrl="http://localhost:5173/billing?paid=1")

    answer = await backend.api.http.post(opened["checkoutUrl"], data={"card": "pm_card_visa"}, follow_redirects=False)

    assert answer.headers["location"] == "http://localhost:5173/billing?paid=1"


async def test_checkouts_opened_at_once_never_claim_that_the_provider_is_down(backend: RunningBackend) -> None:
    person = await backend.sign_up()

    opened = await asyncio.gather(*(_open(backend, person) for _ in range(6)))

    codes = {error["code"] for each in opened for error in each["userErrors"]}
    assert codes <= {"PAYMENT_METHOD_REQUIRED", "PAYMENT_DECLINED"}
    replaced = [each["purchase"] for each in opened if each["purchase"]["status"] != "PENDING"]
    assert {(each["status"], each["failure"]) for each in replaced} <= {
        ("EXPIRED", "Another checkout was opened in its place.")
    }
