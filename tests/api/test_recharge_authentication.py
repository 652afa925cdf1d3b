"""A card whose bank wants its holder: the purchase waits, is watched to its end, and lapses."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.support import operations
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

pytestmark = pytest.mark.catalogs("analytics", "compute")


async def _waiting(backend: RunningBackend) -> tuple[Person, str, dict[str, Any]]:
    """Someone whose recharge waits for the bank, the key it was sent with, and the answer."""
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person, "pm_card_authenticationRequired")
    return person, key, await backend.recharge(person, key=key)


async def _answer_the_bank(backend: RunningBackend, payload: dict[str, Any], outcome: str) -> None:
    await backend.sandbox.answer_the_bank(payload["userErrors"][0]["hostedUrl"], outcome)


async def test_a_recharge_that_the_bank_wants_confirmed_says_how_and_credits_nothing_yet(
    backend: RunningBackend,
) -> None:
    person, _, payload = await _waiting(backend)

    [error] = payload["userErrors"]
    assert error["code"] == "PAYMENT_ACTION_REQUIRED"
    assert "_secret_" in error["clientSecret"]
    assert (await backend.api.http.get(error["hostedUrl"])).status_code == 200
    assert payload["purchase"]["status"] == "ACTION_REQUIRED"
    assert payload["transaction"] is None
    assert await backend.charges(person) == []
    assert (await backend.history(person))["nodes"] == []


async def test_a_replay_while_it_waits_gives_the_same_secret_again(backend: RunningBackend) -> None:
    person, key, payload = await _waiting(backend)

    assert await backend.recharge(person, key=key) == payload


async def test_a_confirmed_payment_is_seen_through_the_purchase_that_is_watched(backend: RunningBackend) -> None:
    person, key, payload = await _waiting(backend)
    purchase_id = payload["purchase"]["id"]
    async with backend.api.socket(person.token) as socket:
        waiting = await socket.subscribe(operations.WATCH_PURCHASE, {"id": purchase_id})

        await _answer_the_bank(backend, payload, "complete")
        done = await socket.until(lambda state: state["status"] != "ACTION_REQUIRED")

    assert waiting["status"] == "ACTION_REQUIRED"
    assert (done["status"], done["failure"], done["invoice"]) == ("SUCCEEDED", None, {"status": "PAID"})
    assert int(done["version"]) > int(waiting["version"])
    assert len(await backend.charges(person)) == 1
    [transaction] = (await backend.history(person))["nodes"]
    assert transaction["purchase"] == {"id": purchase_id, "status": "SUCCEEDED"}
    replay = await backend.recharge(person, key=key)
    assert (replay["userErrors"], replay["transaction"]["id"]) == ([], transaction["id"])


async def test_a_payment_that_the_holder_does_not_confirm_fails_and_its_invoice_is_void(
    backend: RunningBackend,
) -> None:
    person, key, payload = await _waiting(backend)
    purchase_id = payload["purchase"]["id"]

    await _answer_the_bank(backend, payload, "fail")

    async def ended() -> bool:
        return (await backend.purchase(purchase_id, person))["status"] == "FAILED"

    await eventually(ended)
    purchase = await backend.purchase(purchase_id, person)
    assert purchase["failure"]
    assert purchase["invoice"]["status"] == "VOID"
    assert [each["status"] for each in await backend.stripe_invoices(person)] == ["void"]
    assert await backend.charges(person) == []
    assert (await backend.recharge(person, key=key))["userErrors"][0]["code"] == "PAYMENT_DECLINED"


async def test_an_unconfirmed_payment_lapses_after_30_minutes_and_its_invoice_is_void(backend: RunningBackend) -> None:
    person, _, payload = await _waiting(backend)
    purchase_id = payload["purchase"]["id"]

    await backend.advance("PT29M")
    before = await backend.purchase(purchase_id, person)
    await backend.advance("PT2M")
    after = await backend.purchase(purchase_id, person)

    assert before["status"] == "ACTION_REQUIRED"
    assert (after["status"], after["invoice"]["status"]) == ("EXPIRED", "VOID")
    assert [each["status"] for each in await backend.stripe_invoices(person)] == ["void"]
    assert await backend.charges(person) == []
