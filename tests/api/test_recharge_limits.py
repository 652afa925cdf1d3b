"""Card testing: after ten declines in an hour no card is tried any more, whatever else may be bought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from app.accounts.security.rate_limits import Limit, RateLimits
from tests.support import operations
from tests.support.bills import bill
from tests.support.running_backend import Person, RunningBackend

_DECLINES_AN_HOUR = 10
_FEW = 3


@pytest_asyncio.fixture
async def strict(backend: RunningBackend, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RunningBackend]:
    """The house with its limits on, nothing counted so far, and three declines in place of ten."""
    monkeypatch.setattr("resolvers.payment_rate_limits._DECLINES_PER_WORKSPACE", Limit("declines", _FEW, 3600))
    runtime = backend.parts.runtime
    usual = runtime.rate_limits
    object.__setattr__(runtime, "rate_limits", RateLimits(uuid4().bytes, enabled=True))
    yield backend
    object.__setattr__(runtime, "rate_limits", usual)


async def _try(backend: RunningBackend, person: Person, **order: object) -> dict[str, Any]:
    """The whole answer to a recharge."""
    given = {"workspaceId": person.workspace, "packCode": "starter", "idempotencyKey": uuid4().hex, **order}
    return (await backend.api.send(operations.RECHARGE, {"input": given}, token=person.token)).json()


def _codes(answer: dict[str, Any]) -> list[str]:
    return [error["code"] for error in answer["data"]["rechargeCredits"]["userErrors"]]


async def _decline(backend: RunningBackend, person: Person, times: int) -> None:
    for _ in range(times):
        assert _codes(await _try(backend, person)) == ["PAYMENT_DECLINED"]


async def _tester(backend: RunningBackend) -> Person:
    """Someone whose only card is always declined."""
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_chargeCustomerFail")
    return person


async def test_after_ten_declines_no_card_is_touched_and_the_answer_says_how_long_to_wait(
    strict: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    person = await _tester(strict)
    tried = await asyncio.gather(*(_try(strict, person) for _ in range(_DECLINES_AN_HOUR)))
    assert [_codes(answer) for answer in tried] == [["PAYMENT_DECLINED"]] * _DECLINES_AN_HOUR
    sent = len(await strict.sandbox.requests("/v1/invoices/.*/pay"))

    [error] = (await _try(strict, person))["errors"]

    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 3_500 < error["extensions"]["retryAfterSeconds"] <= 3_600
    assert "Try again in 1 hour." in error["message"] or "Try again in 59 minutes." in error["message"]
    assert len(await strict.sandbox.requests("/v1/invoices/.*/pay")) == sent
    assert len((await _purchases(strict, person))["nodes"]) == _DECLINES_AN_HOUR


async def _purchases(backend: RunningBackend, person: Person) -> dict[str, Any]:
    data = await backend.api.query(operations.PURCHASES, {"id": person.workspace}, token=person.token)
    return data["workspace"]["purchases"]


async def test_what_succeeds_is_not_counted(strict: RunningBackend) -> None:
    person = await strict.sign_up()
    await strict.add_card(person)
    failing = await strict.add_card(person, "pm_card_chargeCustomerFail")
    for _ in range(_FEW - 1):
        assert _codes(await _try(strict, person, paymentMethodId=failing)) == ["PAYMENT_DECLINED"]
        # a good card between bad ones neither counts nor makes up for them
        assert _codes(await _try(strict, person)) == []

    assert _codes(await _try(strict, person, paymentMethodId=failing)) == ["PAYMENT_DECLINED"]
    [error] = (await _try(strict, person))["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"


async def test_asking_again_with_the_same_key_tries_no_card_and_is_not_counted(strict: RunningBackend) -> None:
    person = await _tester(strict)
    key = uuid4().hex

    answers = await asyncio.gather(*(_try(strict, person, idempotencyKey=key) for _ in range(3 * _FEW)))

    assert [_codes(answer) for answer in answers] == [["PAYMENT_DECLINED"]] * (3 * _FEW)
    await _decline(strict, person, _FEW - 1)
    assert "errors" in await _try(strict, person)


async def test_declines_of_one_workspace_do_not_limit_another(strict: RunningBackend) -> None:
    person, other = await _tester(strict), await _tester(strict)
    await _decline(strict, person, _FEW)

    assert _codes(await _try(strict, other)) == ["PAYMENT_DECLINED"]


async def test_invoices_that_are_declined_count_too(strict: RunningBackend) -> None:
    person = await _tester(strict)
    await _decline(strict, person, _FEW)
    document = "mutation ($input: PayInvoiceInput!) { payInvoice(input: $input) { userErrors { code } } }"
    given = {"invoiceId": await bill(strict, person), "idempotencyKey": uuid4().hex}

    assert await strict.api.refused(document, {"input": given}, token=person.token) == "RATE_LIMITED"
