"""Recharge: buying credits with a card on file, from the click to the invoice."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.support import operations
from tests.support.running_backend import Person, RunningBackend

BOTH = pytest.mark.catalogs("analytics", "compute")
ALL = pytest.mark.catalogs("analytics", "compute", "messaging")

# what the first order of each catalog costs, tax included, and what it credits
PRICE = {"analytics": ("5.00", "EUR"), "compute": ("10.83", "USD"), "messaging": ("10.75", "USD")}
CREDITS = {"analytics": "1000000", "compute": "10.000000", "messaging": "500.00"}


async def _buyer(backend: RunningBackend, card: str = "pm_card_visa") -> Person:
    person = await backend.sign_up()
    await backend.add_card(person, card)
    return person


@ALL
async def test_a_recharge_charges_the_card_once_and_credits_what_was_bought(backend: RunningBackend) -> None:
    person = await _buyer(backend)

    payload = await backend.recharge(person)

    amount, currency = PRICE[backend.catalog]
    assert payload["userErrors"] == []
    assert payload["purchase"]["status"] == "SUCCEEDED"
    assert payload["purchase"]["price"] == {"amount": amount, "currency": currency}
    bought = payload["purchase"]["credits"]
    assert (
        bought == CREDITS[backend.catalog] == payload["creditBalance"]["available"] == payload["transaction"]["amount"]
    )
    assert (await backend.balance(person))["available"] == bought
    [charge] = await backend.charges(person)
    assert (charge["amount"], charge["currency"]) == (int(amount.replace(".", "")), currency.lower())


@pytest.mark.catalogs("analytics")
@pytest.mark.parametrize(
    ("pack", "tokens", "price"),
    [
        ("starter", "1000000", "5.00"),
        ("standard", "2500000", "10.00"),
        ("pro", "7000000", "25.00"),
        ("enterprise", "15000000", "50.00"),
    ],
)
async def test_a_pack_gives_its_credits_for_its_price_with_the_tax_within(
    backend: RunningBackend, pack: str, tokens: str, price: str
) -> None:
    person = await _buyer(backend)

    payload = await backend.recharge(person, packCode=pack)

    assert payload["purchase"]["credits"] == tokens
    assert payload["purchase"]["price"]["amount"] == price
    [balance] = (await backend.balance(person))["grants"]
    assert (balance["source"], balance["remaining"], balance["expiresAt"]) == ("PURCHASE", tokens, None)


@pytest.mark.catalogs("compute")
@pytest.mark.parametrize(("amount", "total"), [("5", "5.41"), ("5.00", "5.41"), ("7.77", "8.41"), ("92.00", "99.59")])
async def test_any_amount_within_the_bounds_buys_credits_one_to_one_with_tax_on_top(
    backend: RunningBackend, amount: str, total: str
) -> None:
    person = await _buyer(backend)

    payload = await backend.recharge(person, amount=amount)

    assert payload["userErrors"] == []
    assert payload["purchase"]["price"]["amount"] == total
    assert Decimal(payload["creditBalance"]["available"]) == Decimal(amount)


@ALL
async def test_the_invoice_behind_a_recharge_is_mirrored_whole_with_its_page_and_its_pdf(
    backend: RunningBackend,
) -> None:
    person = await _buyer(backend)

    bought = (await backend.recharge(person))["invoice"]

    [invoice] = await backend.invoices(person)
    [real] = await backend.stripe_invoices(person)
    amount, currency = PRICE[backend.catalog]
    assert bought == invoice
    assert invoice["number"] == real["number"]
    assert invoice["status"] == "PAID"
    assert invoice["total"]["amount"] == invoice["amountPaid"]["amount"] == amount
    assert invoice["amountDue"]["amount"] == "0.00"
    [line] = invoice["lines"]
    assert (line["quantity"], line["isProration"]) == (1, False)
    assert line["amount"] == {"amount": invoice["subtotal"]["amount"], "currency": currency}
    [tax] = invoice["taxLines"]
    assert tax["amount"]["amount"] == invoice["tax"]["amount"] != "0.00"
    page = await backend.api.http.get(invoice["hostedUrl"])
    assert page.status_code == 200
    assert invoice["number"] in page.text
    document = await backend.api.http.get(invoice["pdfUrl"])
    assert document.status_code == 200
    assert document.content.startswith(b"%PDF")


@BOTH
async def test_a_recharge_charges_the_named_card_rather_than_the_default_one(backend: RunningBackend) -> None:
    person = await _buyer(backend)
    mastercard = await backend.add_card(person, "pm_card_mastercard")

    payload = await backend.recharge(person, paymentMethodId=mastercard)

    assert payload["userErrors"] == []
    [charge] = await backend.charges(person)
    assert charge["payment_method_details"]["card"]["brand"] == "mastercard"


@BOTH
async def test_fifty_equal_recharges_at_once_are_one_charge_one_grant_and_fifty_equal_answers(
    backend: RunningBackend,
) -> None:
    person, key = await _buyer(backend), uuid4().hex

    answers = await asyncio.gather(*(backend.recharge(person, key=key) for _ in range(50)))

    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["purchase"]["status"] == "SUCCEEDED"
    assert len(await backend.charges(person)) == 1
    assert len(await backend.stripe_invoices(person)) == 1
    [transaction] = (await backend.history(person))["nodes"]
    assert transaction["kind"] == "PURCHASE"
    assert (await backend.balance(person))["available"] == transaction["amount"]


@BOTH
async def test_a_replay_later_answers_the_same_and_charges_nothing(backend: RunningBackend) -> None:
    person, key = await _buyer(backend), uuid4().hex
    first = await backend.recharge(person, key=key)

    assert await backend.recharge(person, key=key) == first
    assert len(await backend.charges(person)) == 1


@BOTH
async def test_a_replay_answers_the_balance_and_the_purchase_as_they_are_now(backend: RunningBackend) -> None:
    person, key = await _buyer(backend), uuid4().hex
    first = await backend.recharge(person, key=key)
    await backend.recharge(person)

    replay = await backend.recharge(person, key=key)

    assert replay["purchase"] == first["purchase"]
    assert replay["transaction"] == first["transaction"]
    assert replay["creditBalance"]["available"] == (await backend.balance(person))["available"]
    assert replay["creditBalance"]["available"] != first["creditBalance"]["available"]


@BOTH
async def test_two_recharges_with_keys_of_their_own_are_two_charges(backend: RunningBackend) -> None:
    person = await _buyer(backend)

    await asyncio.gather(backend.recharge(person), backend.recharge(person))

    assert len(await backend.charges(person)) == 2
    assert [each["sequence"] for each in (await backend.history(person))["nodes"]] == ["2", "1"]


@BOTH
async def test_the_same_key_in_another_workspace_is_another_purchase(backend: RunningBackend) -> None:
    one, other, key = await _buyer(backend), await _buyer(backend), uuid4().hex

    first, second = await backend.recharge(one, key=key), await backend.recharge(other, key=key)

    assert first["purchase"]["id"] != second["purchase"]["id"]
    assert (len(await backend.charges(one)), len(await backend.charges(other))) == (1, 1)


@BOTH
async def test_purchases_are_listed_newest_first_and_paged_without_gap_or_repetition(backend: RunningBackend) -> None:
    person = await _buyer(backend)
    bought = [(await backend.recharge(person))["purchase"]["id"] for _ in range(3)]

    async def page(document: str, field: str, **arguments: object) -> dict[str, Any]:
        data = await backend.api.query(document, {"id": person.workspace, **arguments}, token=person.token)
        return data["workspace"][field]

    first = await page(operations.PURCHASES, "purchases", first=2)
    rest = await page(operations.PURCHASES, "purchases", first=2, after=first["pageInfo"]["endCursor"])
    assert [node["id"] for node in first["nodes"] + rest["nodes"]] == bought[::-1]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)

    first = await page(operations.INVOICES, "invoices", first=1)
    rest = await page(operations.INVOICES, "invoices", first=2, after=first["pageInfo"]["endCursor"])
    numbers = [node["number"] for node in first["nodes"] + rest["nodes"]]
    assert len(set(numbers)) == 3
    assert numbers == [each["number"] for each in await backend.invoices(person)]
    assert (await page(operations.INVOICES, "invoices", status="VOID"))["nodes"] == []
    assert len((await page(operations.INVOICES, "invoices", status="PAID"))["nodes"]) == 3
