"""Holds: credits set aside, then spent or returned, through the API."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.accounts.access.permissions import ApiScope
from tests.support.running_backend import Person, RunningBackend

PARTS = """hold { id amount captured isOpen } transaction { kind amount heldDelta balanceAfter heldAfter hold { id } }
  creditBalance { available held version } userErrors { code message path }"""
HOLD = f"mutation ($input: HoldCreditsInput!) {{ holdCredits(input: $input) {{ {PARTS} }} }}"
CAPTURE = f"mutation ($input: CaptureHoldInput!) {{ captureHold(input: $input) {{ {PARTS} }} }}"
RELEASE = f"mutation ($input: ReleaseHoldInput!) {{ releaseHold(input: $input) {{ {PARTS} }} }}"


async def _hold(backend: RunningBackend, person: Person, amount: str, **more: object) -> dict[str, Any]:
    given = {
        "workspaceId": person.workspace,
        "amount": amount,
        "description": "A job",
        "idempotencyKey": uuid4().hex,
        **more,
    }
    token = await backend.service_key(ApiScope.CREDITS_WRITE)
    return (await backend.api.query(HOLD, {"input": given}, token=token))["holdCredits"]


async def _capture(backend: RunningBackend, hold_id: str, amount: str, **more: object) -> dict[str, Any]:
    given = {"holdId": hold_id, "amount": amount, "idempotencyKey": uuid4().hex, **more}
    token = await backend.service_key(ApiScope.CREDITS_WRITE)
    return (await backend.api.query(CAPTURE, {"input": given}, token=token))["captureHold"]


async def _release(backend: RunningBackend, hold_id: str) -> dict[str, Any]:
    token = await backend.service_key(ApiScope.CREDITS_WRITE)
    return (await backend.api.query(RELEASE, {"input": {"holdId": hold_id}}, token=token))["releaseHold"]


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def test_a_hold_sets_credits_aside_and_its_capture_spends_part_and_returns_the_rest(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")

    held = await _hold(backend, person, "60")
    captured = await _capture(backend, held["hold"]["id"], "25")

    assert held["creditBalance"]["available"] == "40"
    assert held["creditBalance"]["held"] == "60"
    assert held["transaction"]["kind"] == "HOLD"
    assert captured["hold"] == {"id": held["hold"]["id"], "amount": "60", "captured": "25", "isOpen": False}
    assert captured["transaction"] == {
        "kind": "CAPTURE",
        "amount": "35",
        "heldDelta": "-60",
        "balanceAfter": "75",
        "heldAfter": "0",
        "hold": {"id": held["hold"]["id"]},
    }


async def test_a_released_hold_returns_everything(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")
    held = await _hold(backend, person, "60")

    released = await _release(backend, held["hold"]["id"])

    assert (released["creditBalance"]["available"], released["creditBalance"]["held"]) == ("100", "0")
    assert released["hold"]["isOpen"] is False


async def test_a_closed_hold_stays_closed(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")
    hold_id = (await _hold(backend, person, "60"))["hold"]["id"]
    await _capture(backend, hold_id, "0")

    assert _codes(await _capture(backend, hold_id, "10")) == ["HOLD_CLOSED"]
    assert _codes(await _release(backend, hold_id)) == ["HOLD_CLOSED"]
    assert (await backend.balance(person))["available"] == "100"


async def test_the_same_key_holds_and_captures_once(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")
    key = uuid4().hex

    held = await asyncio.gather(*(_hold(backend, person, "60", idempotencyKey=key) for _ in range(20)))
    hold_id = held[0]["hold"]["id"]
    captured = await asyncio.gather(*(_capture(backend, hold_id, "25", idempotencyKey=key) for _ in range(20)))

    assert {each["hold"]["id"] for each in held} == {hold_id}
    assert all(each["userErrors"] == [] and each["hold"]["captured"] == "25" for each in captured)
    assert (await backend.balance(person))["available"] == "75"
    assert _codes(await _hold(backend, person, "61", idempotencyKey=key)) == ["IDEMPOTENCY_CONFLICT"]


async def test_a_capture_can_not_pass_its_hold(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")
    hold_id = (await _hold(backend, person, "60"))["hold"]["id"]

    [error] = (await _capture(backend, hold_id, "61"))["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "amount"])
    assert (await backend.balance(person))["held"] == "60"


async def test_a_hold_past_the_balance_is_refused_and_says_what_there_is(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")

    refused = await _hold(backend, person, "101")

    [error] = refused["userErrors"]
    assert (error["code"], error["path"]) == ("INSUFFICIENT_CREDITS", ["input", "amount"])
    assert "100" in error["message"]
    assert (await backend.balance(person))["held"] == "0"


async def test_an_open_hold_lapses_on_its_time_and_returns(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    await own_backend.grant(person, "100")
    await _hold(own_backend, person, "60", expiresInSeconds=3600)

    await own_backend.advance("PT59M")
    assert (await own_backend.balance(person))["held"] == "60"
    await own_backend.advance("PT2M")

    balance = await own_backend.balance(person)
    assert (balance["available"], balance["held"]) == ("100", "0")
    assert (await own_backend.history(person))["nodes"][0]["kind"] == "RELEASE"


async def test_what_returns_to_a_grant_that_has_expired_meanwhile_expires(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    soon = (own_backend.database.clock.now() + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    await own_backend.grant(person, "100", expiresAt=soon)
    hold_id = (await _hold(own_backend, person, "60", expiresInSeconds=7200))["hold"]["id"]

    await own_backend.advance("PT61M")
    assert (await own_backend.balance(person))["available"] == "0"
    released = await _release(own_backend, hold_id)

    assert (released["creditBalance"]["available"], released["creditBalance"]["held"]) == ("0", "0")


@pytest.mark.parametrize("seconds", [0, -1, 604_801])
async def test_how_long_a_hold_lasts_is_bounded(backend: RunningBackend, seconds: int) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")

    refused = await _hold(backend, person, "10", expiresInSeconds=seconds)

    assert [(error["code"], error["path"]) for error in refused["userErrors"]] == [
        ("INVALID_INPUT", ["input", "expiresInSeconds"])
    ]


async def test_holds_are_for_service_keys_that_may_spend(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.grant(person, "100")
    given = {"workspaceId": person.workspace, "amount": "1", "description": "A job", "idempotencyKey": uuid4().hex}

    assert await backend.api.refused(HOLD, {"input": given}) == "UNAUTHENTICATED"
    assert await backend.api.refused(HOLD, {"input": given}, token=person.token) == "FORBIDDEN"
    assert (
        await backend.api.refused(HOLD, {"input": given}, token=await backend.service_key(ApiScope.OPERATOR))
        == "FORBIDDEN"
    )
    assert (await backend.balance(person))["held"] == "0"
