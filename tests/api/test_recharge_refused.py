"""What a recharge refuses, and what a refused one leaves behind: no charge, no credits, no open invoice."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.accounts.access.permissions import ApiScope
from tests.support import operations
from tests.support.running_backend import Person, RunningBackend

BOTH = pytest.mark.catalogs("analytics", "compute")


async def _nothing_happened(backend: RunningBackend, person: Person) -> None:
    assert (await backend.balance(person))["available"].strip("0.") == ""
    assert (await backend.history(person))["nodes"] == []
    assert await backend.charges(person) == []
    assert [each["status"] for each in await backend.stripe_invoices(person) if each["status"] != "void"] == []


def _only_error(payload: dict[str, Any]) -> dict[str, Any]:
    [error] = payload["userErrors"]
    return error


@BOTH
async def test_a_decline_fails_the_purchase_voids_its_invoice_and_credits_nothing(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_chargeCustomerFail")

    payload = await backend.recharge(person)

    error = _only_error(payload)
    assert error["code"] == "PAYMENT_DECLINED"
    assert error["declineCode"] == "generic_decline"
    assert error["message"]
    assert payload["purchase"]["status"] == "FAILED"
    assert payload["purchase"]["failure"] == error["message"]
    assert payload["transaction"] is None
    [invoice] = await backend.invoices(person)
    assert (invoice["status"], invoice["amountPaid"]["amount"]) == ("VOID", "0.00")
    [real] = await backend.stripe_invoices(person)
    assert real["status"] == "void"
    await _nothing_happened(backend, person)


@BOTH
async def test_a_decline_is_remembered_by_its_key_and_never_tried_again(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person, "pm_card_chargeCustomerFail")
    declined = await backend.recharge(person, key=key)
    tried = len(await backend.sandbox.requests("/v1/invoices/.*/pay"))

    assert await backend.recharge(person, key=key) == declined
    assert len(await backend.sandbox.requests("/v1/invoices/.*/pay")) == tried


@BOTH
async def test_fifty_equal_recharges_of_a_declined_card_try_it_once(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person, "pm_card_chargeCustomerFail")
    tried = len(await backend.sandbox.requests("/v1/invoices/.*/pay"))

    answers = await asyncio.gather(*(backend.recharge(person, key=key) for _ in range(50)))

    assert all(answer == answers[0] for answer in answers)
    assert _only_error(answers[0])["code"] == "PAYMENT_DECLINED"
    assert len(await backend.sandbox.requests("/v1/invoices/.*/pay")) == tried + 1
    await _nothing_happened(backend, person)


@BOTH
async def test_after_a_decline_another_card_and_another_key_succeed(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_chargeCustomerFail")
    await backend.recharge(person)
    good = await backend.add_card(person, "pm_card_visa")

    payload = await backend.recharge(person, paymentMethodId=good)

    assert payload["userErrors"] == []
    assert len(await backend.charges(person)) == 1
    assert [each["status"] for each in await backend.invoices(person)] == ["PAID", "VOID"]


@pytest.mark.catalogs("compute")
async def test_a_recharge_needs_a_verified_phone_where_the_catalog_asks_for_one(backend: RunningBackend) -> None:
    person = await backend.sign_up(with_phone=False)

    refused = _only_error(await backend.recharge(person))
    await backend.verify_phone(person)
    await backend.add_card(person)

    assert refused["code"] == "PHONE_UNVERIFIED"
    assert (await backend.recharge(person))["userErrors"] == []


@pytest.mark.catalogs("compute")
async def test_a_card_is_only_saved_with_a_verified_phone_where_the_catalog_asks_for_one(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up(with_phone=False)

    given = {"input": {"workspaceId": person.workspace}}
    payload = (await backend.api.query(operations.ADD_CARD, given, token=person.token))["addPaymentMethod"]

    assert _only_error(payload)["code"] == "PHONE_UNVERIFIED"
    assert payload["clientSecret"] is None


@BOTH
async def test_a_card_of_another_workspace_does_not_exist(backend: RunningBackend) -> None:
    owner, stranger = await backend.sign_up(), await backend.sign_up()
    card = await backend.add_card(owner)
    await backend.add_card(stranger)

    given = {"workspaceId": stranger.workspace, "idempotencyKey": uuid4().hex, "paymentMethodId": card}
    given |= {"packCode": "starter"} if backend.catalog == "analytics" else {"amount": "10.00"}

    assert await backend.api.refused(operations.RECHARGE, {"input": given}, token=stranger.token) == "NOT_FOUND"
    assert await backend.charges(owner) == []
    await _nothing_happened(backend, stranger)


@BOTH
async def test_a_key_that_was_used_with_other_input_is_a_conflict_and_changes_nothing(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    card = await backend.add_card(person)
    first = await backend.recharge(person, key=key)
    another = {"packCode": "standard"} if backend.catalog == "analytics" else {"amount": "11.00"}

    for other in (another, {"paymentMethodId": card}):
        payload = await backend.recharge(person, key=key, **other)
        assert _only_error(payload)["code"] == "IDEMPOTENCY_CONFLICT"
        assert _only_error(payload)["path"] == ["input", "idempotencyKey"]
        assert payload["purchase"] is None

    assert len(await backend.charges(person)) == 1
    assert (await backend.balance(person))["available"] == first["creditBalance"]["available"]


@pytest.mark.catalogs("compute")
async def test_the_same_amount_written_with_other_digits_is_the_same_input(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person)

    first = await backend.recharge(person, key=key, amount="10.00")

    assert await backend.recharge(person, key=key, amount="10") == first


@pytest.mark.catalogs("analytics")
@pytest.mark.parametrize(
    ("order", "path"),
    [
        ({}, ["input"]),
        ({"packCode": "starter", "amount": "5.00"}, ["input"]),
        ({"packCode": "nothing-like-it"}, ["input", "packCode"]),
        ({"packCode": ""}, ["input", "packCode"]),
        ({"amount": "10.00"}, ["input", "amount"]),
    ],
)
async def test_an_order_that_the_catalog_does_not_sell_is_refused(
    backend: RunningBackend, order: dict[str, str], path: list[str]
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    given = {"workspaceId": person.workspace, "idempotencyKey": uuid4().hex, **order}

    data = await backend.api.query(operations.RECHARGE, {"input": given}, token=person.token)

    error = _only_error(data["rechargeCredits"])
    assert (error["code"], error["path"]) == ("INVALID_INPUT", path)
    await _nothing_happened(backend, person)


@pytest.mark.catalogs("compute")
@pytest.mark.parametrize("amount", ["0", "-10", "4.99", "500.01", "10.001", "99999999999999999999", "1" * 38])
async def test_an_amount_outside_the_bounds_or_finer_than_a_cent_is_refused(
    backend: RunningBackend, amount: str
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)

    error = _only_error(await backend.recharge(person, amount=amount))

    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "amount"])
    await _nothing_happened(backend, person)


@pytest.mark.catalogs("compute")
async def test_no_more_than_the_plans_monthly_limit_is_spent_tax_included(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.recharge(person, amount="90.00")
    asked = len(await backend.sandbox.requests("/v1/invoices/.*/pay"))

    refused = await backend.recharge(person, amount="10.00")

    assert _only_error(refused)["code"] == "SPEND_LIMIT_REACHED"
    assert len(await backend.sandbox.requests("/v1/invoices/.*/pay")) == asked
    assert len(await backend.charges(person)) == 1
    assert [each["status"] for each in await backend.stripe_invoices(person) if each["status"] == "open"] == []


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_an_idempotency_key_has_1_to_255_characters(backend: RunningBackend, key: str) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    given = {"workspaceId": person.workspace, "idempotencyKey": key, "packCode": "starter"}

    assert await backend.api.refused(operations.RECHARGE, {"input": given}, token=person.token) == "BAD_USER_INPUT"
    await _nothing_happened(backend, person)


async def test_only_those_who_manage_its_billing_recharge_a_workspace(backend: RunningBackend) -> None:
    owner, stranger = await backend.sign_up(), await backend.sign_up()
    await backend.add_card(owner)
    reader, writer = await backend.service_key(ApiScope.BILLING_READ), await backend.service_key(ApiScope.CREDITS_WRITE)
    given = {"input": {"workspaceId": owner.workspace, "idempotencyKey": uuid4().hex, "packCode": "starter"}}

    assert await backend.api.refused(operations.RECHARGE, given) == "UNAUTHENTICATED"
    assert await backend.api.refused(operations.RECHARGE, given, token=stranger.token) == "NOT_FOUND"
    assert await backend.api.refused(operations.RECHARGE, given, token=reader) == "FORBIDDEN"
    assert await backend.api.refused(operations.RECHARGE, given, token=writer) == "FORBIDDEN"
    await _nothing_happened(backend, owner)
