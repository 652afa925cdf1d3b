"""An idempotency key answers before anything is judged: what was done is told though its input would be refused today."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.accounts.access.permissions import ApiScope
from app.catalog import Catalog
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.idempotency import input_hash
from app.store import purchases as purchase_store
from tests.support import operations
from tests.support.running_backend import Person, RunningBackend

HOLD = """mutation ($input: HoldCreditsInput!) { holdCredits(input: $input) {
  hold { id amount } transaction { id } userErrors { code path } } }"""
CAPTURE = """mutation ($input: CaptureHoldInput!) { captureHold(input: $input) {
  hold { id captured isOpen } transaction { id } userErrors { code path } } }"""


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


@contextmanager
def _catalog(backend: RunningBackend, **changes: Any) -> Generator[None]:
    """The product with another catalog, as after a restart with an edited file."""
    runtime = backend.parts.runtime
    usual: Catalog = runtime.catalog
    edited = replace(usual, **changes)
    for holder in (runtime, runtime.flow_context):
        object.__setattr__(holder, "catalog", edited)
    try:
        yield
    finally:
        for holder in (runtime, runtime.flow_context):
            object.__setattr__(holder, "catalog", usual)


async def _send(backend: RunningBackend, document: str, scope: ApiScope, **given: object) -> dict[str, Any]:
    token = await backend.service_key(scope)
    [payload] = (await backend.api.query(document, {"input": given}, token=token)).values()
    return payload


async def test_a_grant_whose_expiry_has_passed_is_answered_by_its_key(backend: RunningBackend) -> None:
    person, now = await backend.sign_up(), backend.database.clock.now()
    given = {
        "workspaceId": person.workspace,
        "amount": "5",
        "source": "PROMOTION",
        "description": "A day",
        "idempotencyKey": uuid4().hex,
        "expiresAt": (now + timedelta(seconds=1)).isoformat(),
    }
    first = await _send(backend, operations.GRANT, ApiScope.OPERATOR, **given)
    await asyncio.sleep(1.1)

    again = await _send(backend, operations.GRANT, ApiScope.OPERATOR, **given)
    other = await _send(backend, operations.GRANT, ApiScope.OPERATOR, **{**given, "amount": "6"})
    new = await _send(backend, operations.GRANT, ApiScope.OPERATOR, **{**given, "idempotencyKey": uuid4().hex})

    assert (_codes(again), again["transaction"]) == ([], first["transaction"])
    assert _codes(other) == ["IDEMPOTENCY_CONFLICT"]
    assert [(error["code"], error["path"]) for error in new["userErrors"]] == [
        ("INVALID_INPUT", ["input", "expiresAt"])
    ]


async def test_a_spend_on_a_resource_that_is_no_longer_in_the_catalog_is_answered_by_its_key(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "10")
    given = {"idempotencyKey": uuid4().hex, "resource": backend.parts.runtime.catalog.resources[0].code}
    first = await backend.deduct(person, "2", **given)

    with _catalog(backend, resources=()):
        again = await backend.deduct(person, "2", **given)
        other = await backend.deduct(person, "3", **given)
        new = await backend.deduct(person, "2", **{**given, "idempotencyKey": uuid4().hex})

    assert (_codes(again), again["transaction"]["id"]) == ([], first["transaction"]["id"])
    assert (_codes(other), _codes(new)) == (["IDEMPOTENCY_CONFLICT"], ["UNKNOWN_RESOURCE"])
    assert (await backend.balance(person))["available"] == "8"


@pytest.mark.catalogs("compute")
async def test_movements_of_an_amount_that_is_too_fine_today_are_answered_by_their_keys(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "10")
    spend = {"idempotencyKey": uuid4().hex}
    hold = {"workspaceId": person.workspace, "amount": "2.000001", "description": "x", "idempotencyKey": uuid4().hex}
    spent = await backend.deduct(person, "1.000001", **spend)
    held = await _send(backend, HOLD, ApiScope.CREDITS_WRITE, **hold)
    capture = {"holdId": held["hold"]["id"], "amount": "1.000001", "idempotencyKey": uuid4().hex}
    captured = await _send(backend, CAPTURE, ApiScope.CREDITS_WRITE, **capture)

    unit = backend.parts.runtime.catalog.credit_unit
    with _catalog(backend, credit_unit=replace(unit, decimals=2)):
        spent_again = await backend.deduct(person, "1.000001", **spend)
        held_again = await _send(backend, HOLD, ApiScope.CREDITS_WRITE, **hold)
        captured_again = await _send(backend, CAPTURE, ApiScope.CREDITS_WRITE, **capture)
        new = await backend.deduct(person, "1.000001")

    assert spent_again["transaction"]["id"] == spent["transaction"]["id"]
    assert held_again["transaction"] == held["transaction"]
    assert held_again["hold"]["id"] == held["hold"]["id"]
    assert captured_again["transaction"] == captured["transaction"]
    assert not captured_again["hold"]["isOpen"]
    assert _codes(new) == ["INVALID_INPUT"]


async def test_more_digits_than_a_key_remembers_are_another_input(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "10")
    given = {"idempotencyKey": uuid4().hex}
    await backend.deduct(person, "2", **given)

    payload = await backend.deduct(person, "2." + "0" * 35 + "1", **given)

    assert _codes(payload) == ["IDEMPOTENCY_CONFLICT"]


async def test_a_purchase_of_a_pack_that_is_no_longer_sold_is_answered_by_its_key(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person)
    first = await backend.recharge(person, key=key, packCode="starter")

    with _catalog(backend, packs=()):
        again = await backend.recharge(person, key=key, packCode="starter")
        other = await backend.recharge(person, key=key, packCode="standard")
        new = await backend.recharge(person, packCode="starter")

    assert again == first
    assert (_codes(other), _codes(new)) == (["IDEMPOTENCY_CONFLICT"], ["INVALID_INPUT"])
    assert len(await backend.charges(person)) == 1


@pytest.mark.catalogs("compute")
async def test_a_purchase_of_an_amount_out_of_bounds_today_is_answered_by_its_key(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person)
    first = await backend.recharge(person, key=key, amount="10.00")

    with _catalog(backend, custom_recharge=None):
        again = await backend.recharge(person, key=key, amount="10")
        others = [await backend.recharge(person, key=key, amount=amount) for amount in ("10.01", "10.001", "1" * 38)]
        new = await backend.recharge(person, amount="10.00")

    assert again == first
    assert [_codes(other) for other in others] == [["IDEMPOTENCY_CONFLICT"]] * 3
    assert _codes(new) == ["INVALID_INPUT"]


@pytest.mark.catalogs("compute")
async def test_a_purchase_begun_by_the_version_before_is_answered_by_its_key(backend: RunningBackend) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person)
    first = await backend.recharge(person, key=key, amount="10.00")

    async def as_it_was_stored(session: Session) -> None:
        row = await purchase_store.with_key(session, person.workspace_id, key)
        assert row is not None
        row.input_hash = input_hash(None, 1000, None)

    await transact(backend.database, as_it_was_stored)

    assert await backend.recharge(person, key=key, amount="10.0") == first


async def test_a_purchase_is_answered_by_its_key_though_its_address_to_come_back_to_is_no_longer_allowed(
    backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    order: dict[str, Any] = {"packCode": "starter", "successUrl": "http://localhost:5173/paid"}
    opened = await backend.recharge(person, key=key, **order)
    runtime = backend.parts.runtime
    object.__setattr__(runtime, "returns_to_loopback", False)
    try:
        again = await backend.recharge(person, key=key, **order)
        new = await backend.recharge(person, **order)
    finally:
        object.__setattr__(runtime, "returns_to_loopback", True)

    assert again["purchase"] == opened["purchase"]
    assert (_codes(again), _codes(new)) == (["PAYMENT_METHOD_REQUIRED"], ["URL_NOT_ALLOWED"])


async def test_who_asks_is_judged_before_a_key_answers(backend: RunningBackend) -> None:
    person, stranger, key = await backend.sign_up(), await backend.sign_up(), uuid4().hex
    await backend.add_card(person)
    await backend.recharge(person, key=key)
    given = {"workspaceId": person.workspace, "packCode": "starter", "idempotencyKey": key}

    assert await _refusal(backend, given, stranger) == "NOT_FOUND"


async def _refusal(backend: RunningBackend, given: dict[str, Any], who: Person) -> str:
    return await backend.api.refused(operations.RECHARGE, {"input": given}, token=who.token)
