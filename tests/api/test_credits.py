"""Spending and giving credits through the API: all or nothing, once per key, never below zero."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from app.accounts.access.permissions import ApiScope
from tests.support import operations
from tests.support.running_backend import Person, RunningBackend

BOTH = pytest.mark.catalogs("analytics", "compute")


def _only_error(payload: dict[str, Any]) -> dict[str, Any]:
    [error] = payload["userErrors"]
    return error


def _given(person: Person, amount: object, **more: object) -> dict[str, Any]:
    given = {"workspaceId": person.workspace, "amount": amount, "description": "A test"}
    return {"input": {**given, "idempotencyKey": uuid4().hex, **more}}


@BOTH
async def test_a_grant_comes_in_and_is_spent_with_its_reason_in_the_history(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    granted = await backend.grant(person, "10", description="For the wait")
    resource = backend.parts.runtime.catalog.resources[0].code

    spent = await backend.deduct(person, "3", description="A report", resource=resource)

    assert spent["userErrors"] == []
    assert spent["transaction"]["resource"] == {"code": resource}
    assert spent["creditBalance"]["available"] == (await backend.balance(person))["available"]
    last, first = (await backend.history(person))["nodes"]
    assert (last["kind"], last["description"], last["sequence"]) == ("USAGE", "A report", "2")
    assert (first["kind"], first["description"], first["sequence"]) == ("BONUS", "For the wait", "1")
    assert (first["amount"], first["balanceAfter"]) == (granted["creditBalance"]["available"],) * 2
    assert last["amount"].startswith("-3")
    assert last["balanceAfter"].startswith("7")


@BOTH
async def test_of_200_spends_of_1_at_once_against_100_exactly_100_succeed_and_zero_remains(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")
    token = await backend.service_key(ApiScope.CREDITS_WRITE)

    answers = await asyncio.gather(
        *(backend.api.query(operations.DEDUCT, _given(person, "1"), token=token) for _ in range(200))
    )

    codes = [[error["code"] for error in answer["deductCredits"]["userErrors"]] for answer in answers]
    assert (codes.count([]), codes.count(["INSUFFICIENT_CREDITS"])) == (100, 100)
    balance = await backend.balance(person)
    assert balance["available"].strip("0.") == ""
    assert balance["grants"] == []
    first = await backend.history(person, first=100)
    rest = await backend.history(person, first=100, after=first["pageInfo"]["endCursor"])
    sequences = [int(node["sequence"]) for node in first["nodes"] + rest["nodes"]]
    assert sequences == list(range(101, 0, -1))


@BOTH
async def test_more_than_there_is_takes_nothing_and_says_what_is_available(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    available = (await backend.grant(person, "5"))["creditBalance"]["available"]

    payload = await backend.deduct(person, "6")

    assert _only_error(payload)["code"] == "INSUFFICIENT_CREDITS"
    assert f": {Decimal(available).normalize():f} " in _only_error(payload)["message"]
    assert payload["transaction"] is None
    assert (await backend.balance(person))["available"] == available


@BOTH
async def test_the_same_key_spends_once_however_often_it_is_sent_at_once(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.grant(person, "10")

    answers = await asyncio.gather(*(backend.deduct(person, "2", idempotencyKey=key) for _ in range(20)))

    assert all(answer["transaction"] == answers[0]["transaction"] for answer in answers)
    assert answers[0]["userErrors"] == []
    assert len((await backend.history(person))["nodes"]) == 2


@BOTH
@pytest.mark.parametrize("changed", [{"amount": "3"}, {"description": "Something else"}])
async def test_a_spend_with_a_used_key_and_other_input_is_a_conflict(
    backend: RunningBackend, changed: dict[str, str]
) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.grant(person, "10")
    await backend.deduct(person, "2", idempotencyKey=key)
    token = await backend.service_key(ApiScope.CREDITS_WRITE)

    given = _given(person, "2", idempotencyKey=key)
    given["input"].update(changed)
    payload = (await backend.api.query(operations.DEDUCT, given, token=token))["deductCredits"]

    assert _only_error(payload)["code"] == "IDEMPOTENCY_CONFLICT"
    assert len((await backend.history(person))["nodes"]) == 2


@BOTH
async def test_a_key_may_be_used_by_a_grant_and_a_spend_each_for_itself(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.grant(person, "10", idempotencyKey=key)

    assert (await backend.deduct(person, "2", idempotencyKey=key))["userErrors"] == []


@BOTH
async def test_the_soonest_expiring_grant_is_spent_first_then_the_oldest(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    now = backend.database.clock.now()
    await backend.grant(person, "10")
    await backend.grant(person, "20", expiresAt=(now + timedelta(days=9)).isoformat())
    await backend.grant(person, "30", expiresAt=(now + timedelta(days=3)).isoformat())
    await backend.grant(person, "40")

    await backend.deduct(person, "35")

    left = [grant["remaining"].split(".")[0] for grant in (await backend.balance(person))["grants"]]
    assert left == ["15", "10", "40"]


@BOTH
async def test_what_is_left_of_a_grant_expires_on_its_minute_though_nobody_touches_the_balance(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    expires_at = backend.database.clock.now() + timedelta(hours=1)
    await backend.grant(person, "10", expiresAt=expires_at.isoformat())
    await backend.grant(person, "5")
    await backend.deduct(person, "4")
    before = await backend.balance(person)

    await backend.advance("PT1H1M")

    after = await backend.balance(person)
    assert before["nextExpiry"]["amount"].split(".")[0] == "6"
    assert (before["available"].split(".")[0], after["available"].split(".")[0]) == ("11", "5")
    assert after["nextExpiry"] is None
    expiry = (await backend.history(person, first=1))["nodes"][0]
    assert (expiry["kind"], expiry["amount"].split(".")[0]) == ("EXPIRY", "-6")


@BOTH
async def test_a_grant_that_would_have_expired_already_is_refused(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    token = await backend.service_key(ApiScope.OPERATOR)
    past = (backend.database.clock.now() - timedelta(seconds=1)).isoformat()

    given = _given(person, "5", source="PROMOTION", expiresAt=past)
    payload = (await backend.api.query(operations.GRANT, given, token=token))["grantCredits"]

    assert (_only_error(payload)["code"], _only_error(payload)["path"]) == ("INVALID_INPUT", ["input", "expiresAt"])
    assert (await backend.history(person))["nodes"] == []


@pytest.mark.parametrize("source", ["PURCHASE", "AUTO_RECHARGE", "WELCOME_BONUS"])
async def test_an_operator_gives_promotions_and_adjustments_and_nothing_that_looks_paid_for(
    backend: RunningBackend, source: str
) -> None:
    person = await backend.sign_up()
    token = await backend.service_key(ApiScope.OPERATOR)

    payload = await backend.api.query(operations.GRANT, _given(person, "5", source=source), token=token)

    assert _only_error(payload["grantCredits"])["path"] == ["input", "source"]
    assert (await backend.history(person))["nodes"] == []


@BOTH
@pytest.mark.parametrize("amount", ["0", "-1", "0.0000001", "9" * 38, "0.0000000000000000000000000000000000001"])
@pytest.mark.parametrize("field", ["deductCredits", "grantCredits"])
async def test_an_amount_of_no_credits_or_too_many_or_too_fine_is_refused(
    backend: RunningBackend, field: str, amount: str
) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "5")
    token = await backend.service_key(ApiScope.CREDITS_WRITE, ApiScope.OPERATOR)
    document = operations.DEDUCT if field == "deductCredits" else operations.GRANT
    more = {"source": "PROMOTION"} if field == "grantCredits" else {}

    payload = (await backend.api.query(document, _given(person, amount, **more), token=token))[field]

    assert (_only_error(payload)["code"], _only_error(payload)["path"]) == ("INVALID_INPUT", ["input", "amount"])
    assert len((await backend.history(person))["nodes"]) == 1


@pytest.mark.catalogs("analytics")
async def test_whole_credits_are_not_spent_in_parts(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "5")

    assert _only_error(await backend.deduct(person, "0.5"))["path"] == ["input", "amount"]


@pytest.mark.catalogs("compute")
async def test_credits_in_dollars_are_spent_to_the_millionth(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "1")

    assert (await backend.deduct(person, "0.000001"))["creditBalance"]["available"] == "0.999999"


async def test_a_resource_that_the_catalog_does_not_have_is_refused(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "5")

    error = _only_error(await backend.deduct(person, "1", resource="nothing-like-it"))

    assert (error["code"], error["path"]) == ("UNKNOWN_RESOURCE", ["input", "resource"])


@pytest.mark.parametrize("description", ["", "   ", "x" * 501])
async def test_a_movement_says_in_1_to_500_characters_what_for(backend: RunningBackend, description: str) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "5")

    assert _only_error(await backend.deduct(person, "1", description=description))["path"] == ["input", "description"]
