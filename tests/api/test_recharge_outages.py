"""Recharges while Stripe can't be reached, or does not answer: never a guess, never an open invoice, never a second charge."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.running_backend import Person, RunningBackend

pytestmark = pytest.mark.catalogs("analytics", "compute")

# the SDK tries each request once more by itself
EACH_TRY = 2


async def _buyer(backend: RunningBackend) -> Person:
    person = await backend.sign_up()
    await backend.add_card(person)
    return person


async def _left_open(backend: RunningBackend, person: Person) -> list[str]:
    return [each["status"] for each in await backend.stripe_invoices(person) if each["status"] in ("draft", "open")]


@pytest.mark.parametrize("step", ["/v1/invoices", "/v1/invoiceitems", "/v1/invoices/.*/finalize"])
@pytest.mark.parametrize("fault", ["error_500", "drop_before", "drop_after"])
async def test_an_outage_before_the_payment_charges_nothing_frees_the_key_and_leaves_no_open_invoice(
    backend: RunningBackend, step: str, fault: str
) -> None:
    person, key = await _buyer(backend), uuid4().hex
    await backend.sandbox.fail(fault, step, times=EACH_TRY)

    refused = await backend.recharge(person, key=key)
    await backend.advance("PT10S")

    assert [error["code"] for error in refused["userErrors"]] == ["PAYMENT_UNAVAILABLE"]
    assert await backend.charges(person) == []
    assert await _left_open(backend, person) == []

    again = await backend.recharge(person, key=key)
    assert again["userErrors"] == []
    assert len(await backend.charges(person)) == 1


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
async def test_a_payment_without_an_answer_stays_pending_and_is_settled_by_what_stripe_says(
    backend: RunningBackend, fault: str
) -> None:
    person, key = await _buyer(backend), uuid4().hex
    await backend.sandbox.deliver("drop")
    await backend.sandbox.fail(fault, "/v1/invoices/.*/pay", times=EACH_TRY)

    pending = await backend.recharge(person, key=key)
    was_charged = len(await backend.charges(person))
    await backend.advance("PT3M")

    assert [error["code"] for error in pending["userErrors"]] == ["PAYMENT_PENDING"]
    assert pending["purchase"]["status"] == "PENDING"
    assert pending["transaction"] is None
    assert was_charged == (1 if fault == "drop_after" else 0)
    settled = await backend.purchase(pending["purchase"]["id"], person)
    assert settled["status"] == ("SUCCEEDED" if was_charged else "FAILED")
    assert len(await backend.charges(person)) == was_charged
    assert len((await backend.history(person))["nodes"]) == was_charged
    assert await _left_open(backend, person) == []


async def test_a_payment_without_an_answer_is_settled_by_its_webhook_when_that_comes(backend: RunningBackend) -> None:
    person, key = await _buyer(backend), uuid4().hex
    await backend.sandbox.deliver("hold")
    await backend.sandbox.fail("drop_after", "/v1/invoices/.*/pay", times=EACH_TRY)
    pending = await backend.recharge(person, key=key)

    await backend.sandbox.deliver("normal")
    replay = await backend.recharge(person, key=key)

    assert [error["code"] for error in pending["userErrors"]] == ["PAYMENT_PENDING"]
    assert (replay["userErrors"], replay["purchase"]["status"]) == ([], "SUCCEEDED")
    assert len(await backend.charges(person)) == 1


async def test_reading_and_spending_go_on_while_stripe_is_down(backend: RunningBackend) -> None:
    person = await _buyer(backend)
    await backend.grant(person, "5")
    await backend.sandbox.fail("drop_before", ".*", times=100)
    await backend.sandbox.fail("drop_before", ".*", method="GET", times=100)

    spent = await backend.deduct(person, "2")
    balance = await backend.balance(person)

    assert spent["userErrors"] == []
    assert balance["available"] == spent["creditBalance"]["available"]
