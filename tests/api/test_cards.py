"""Cards on file, and paying open invoices with them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from app.accounts.security.rate_limits import RateLimits
from tests.support.bills import bill
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

ADD = "mutation ($input: AddPaymentMethodInput!) { addPaymentMethod(input: $input) { clientSecret hostedUrl userErrors { code } } }"
DEFAULT = """mutation ($id: ID!) { setDefaultPaymentMethod(input: {id: $id}) {
  paymentMethod { id isDefault } userErrors { code } } }"""
REMOVE = """mutation ($id: ID!) { removePaymentMethod(input: {id: $id}) {
  workspace { paymentMethods { id isDefault } } userErrors { code } } }"""
PAY = """mutation ($id: ID!, $key: String!) { payInvoice(input: {invoiceId: $id, idempotencyKey: $key}) {
  invoice { status amountDue { amount } } userErrors { code ... on PaymentActionRequired { clientSecret } } } }"""
WATCH = "subscription ($id: ID!) { paymentMethodsChanged(workspaceId: $id) { paymentMethods { brand isDefault } } }"
WATCH_INVOICES = "subscription ($id: ID!) { invoiceChanged(workspaceId: $id) { number status version } }"


async def test_the_first_card_becomes_the_default_and_later_ones_do_not(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    first = await backend.add_card(person, "pm_card_visa")
    second = await backend.add_card(person, "pm_card_mastercard")

    cards = await backend.cards(person)

    assert [(card["id"], card["isDefault"]) for card in cards] == [(first, True), (second, False)]


async def test_a_card_saved_on_the_hosted_page_appears(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    begun = (await backend.api.query(ADD, {"input": {"workspaceId": person.workspace}}, token=person.token))[
        "addPaymentMethod"
    ]

    answer = await backend.api.http.post(begun["hostedUrl"], data={"card": "pm_card_amex"}, follow_redirects=False)

    assert answer.status_code == 303
    [card] = await eventually(lambda: backend.cards(person))
    assert (card["brand"], card["isDefault"]) == ("amex", True)


async def test_another_page_to_save_a_card_closes_the_one_before(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    given = {"input": {"workspaceId": person.workspace}}
    first = (await backend.api.query(ADD, given, token=person.token))["addPaymentMethod"]["hostedUrl"]

    await backend.api.query(ADD, given, token=person.token)

    assert (await backend.api.http.get(first)).status_code == 410


async def test_making_a_card_the_default_makes_it_the_one_that_is_charged(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_visa")
    second = await backend.add_card(person, "pm_card_mastercard")

    payload = (await backend.api.query(DEFAULT, {"id": second}, token=person.token))["setDefaultPaymentMethod"]
    await backend.recharge(person)

    assert payload == {"paymentMethod": {"id": second, "isDefault": True}, "userErrors": []}
    [charge] = await backend.charges(person)
    assert charge["payment_method_details"]["card"]["brand"] == "mastercard"


async def test_removing_the_default_card_makes_the_oldest_left_the_default(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    first = await backend.add_card(person, "pm_card_visa")
    second = await backend.add_card(person, "pm_card_mastercard")
    # Stripe tells the second in which a card was saved: of two in the same one neither is the older
    await backend.advance("PT2S")
    third = await backend.add_card(person, "pm_card_amex")

    payload = (await backend.api.query(REMOVE, {"id": first}, token=person.token))["removePaymentMethod"]

    assert payload["userErrors"] == []
    left = [(card["id"], card["isDefault"]) for card in payload["workspace"]["paymentMethods"]]
    assert left == [(second, True), (third, False)]


async def test_a_card_of_another_workspace_does_not_exist(backend: RunningBackend) -> None:
    owner, stranger = await backend.sign_up(), await backend.sign_up()
    card = await backend.add_card(owner)

    assert await backend.api.refused(REMOVE, {"id": card}, token=stranger.token) == "NOT_FOUND"
    assert await backend.api.refused(DEFAULT, {"id": card}, token=stranger.token) == "NOT_FOUND"
    assert await backend.api.refused(REMOVE, {"id": card}) == "UNAUTHENTICATED"
    assert [each["id"] for each in await backend.cards(owner)] == [card]


async def test_open_screens_see_cards_come_and_go(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    async with backend.api.socket(person.token) as socket:
        assert (await socket.subscribe(WATCH, {"id": person.workspace}))["paymentMethods"] == []

        card = await backend.add_card(person)
        added = await socket.until(lambda state: state["paymentMethods"] == [{"brand": "visa", "isDefault": True}])
        await backend.api.query(REMOVE, {"id": card}, token=person.token)

        assert added
        assert (await socket.until(lambda state: state["paymentMethods"] == []))["paymentMethods"] == []


async def test_trying_cards_out_is_limited(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    runtime = own_backend.parts.runtime
    object.__setattr__(runtime, "rate_limits", RateLimits(runtime.rate_limits.key, enabled=True))
    given = {"input": {"workspaceId": person.workspace}}

    codes: list[str | None] = []
    for _ in range(21):
        answer = (await own_backend.api.send(ADD, given, token=person.token)).json()
        codes.append(answer["errors"][0]["extensions"]["code"] if "errors" in answer else None)

    assert codes == [None] * 20 + ["RATE_LIMITED"]


async def _pay(backend: RunningBackend, person: Person, invoice: str, key: str | None = None) -> dict[str, Any]:
    return (await backend.api.query(PAY, {"id": invoice, "key": key or uuid4().hex}, token=person.token))["payInvoice"]


async def test_a_paid_invoice_has_nothing_to_pay(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    invoice = (await backend.recharge(person))["invoice"]["id"]

    payload = await _pay(backend, person, invoice)

    assert [error["code"] for error in payload["userErrors"]] == ["NO_CHANGE"]
    assert len(await backend.charges(person)) == 1


async def test_an_open_invoice_is_paid_with_the_default_card_once_however_often_it_is_asked(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    invoice = await bill(backend, person)
    key = uuid4().hex

    same = await asyncio.gather(*(_pay(backend, person, invoice, key) for _ in range(5)))
    others = await asyncio.gather(*(_pay(backend, person, invoice) for _ in range(3)))

    assert all(each["userErrors"] == [] and each["invoice"]["status"] == "PAID" for each in same)
    assert all([error["code"] for error in each["userErrors"]] == ["NO_CHANGE"] for each in others)
    [charge] = await backend.charges(person)
    assert charge["amount"] == 1250


async def test_a_key_that_paid_one_invoice_pays_no_other(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    key = uuid4().hex
    await _pay(backend, person, await bill(backend, person), key)

    payload = await _pay(backend, person, await bill(backend, person), key)

    assert [error["code"] for error in payload["userErrors"]] == ["IDEMPOTENCY_CONFLICT"]


async def test_a_declined_payment_leaves_the_invoice_open(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_chargeCustomerFail")
    invoice = await bill(backend, person)

    payload = await _pay(backend, person, invoice)

    assert [error["code"] for error in payload["userErrors"]] == ["PAYMENT_DECLINED"]
    assert payload["invoice"]["status"] == "OPEN"
    assert await backend.charges(person) == []


async def test_without_a_card_an_invoice_can_not_be_paid(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    card = await backend.add_card(person)
    invoice = await bill(backend, person)
    await backend.api.query(REMOVE, {"id": card}, token=person.token)

    payload = await _pay(backend, person, invoice)

    assert [error["code"] for error in payload["userErrors"]] == ["PAYMENT_METHOD_REQUIRED"]


async def test_open_screens_see_each_invoice_as_it_is_issued_and_paid(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.recharge(person)
    async with backend.api.socket(person.token) as socket:
        await socket.send(
            id="1", type="subscribe", payload={"query": WATCH_INVOICES, "variables": {"id": person.workspace}}
        )
        invoice = await bill(backend, person)
        issued = await socket.until(lambda state: state["status"] == "OPEN")
        await _pay(backend, person, invoice)
        paid = await socket.until(lambda state: state["status"] == "PAID")

    assert paid["number"] == issued["number"]
    assert int(paid["version"]) > int(issued["version"])


async def test_removing_a_card_twice_at_once_removes_it_and_tells_no_one_of_an_outage(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    card = await backend.add_card(person)

    answers = await asyncio.gather(*(backend.api.send(REMOVE, {"id": card}, token=person.token) for _ in range(4)))

    bodies = [answer.json() for answer in answers]
    codes = {error["extensions"]["code"] for each in bodies for error in each.get("errors", [])}
    assert codes <= {"NOT_FOUND"}
    assert not [error for each in bodies if each["data"] for error in each["data"]["removePaymentMethod"]["userErrors"]]
    assert await backend.cards(person) == []
