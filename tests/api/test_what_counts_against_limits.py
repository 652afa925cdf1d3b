"""Only what would begin something new counts against a limit: neither a replay nor a refused form does, and a new attempt does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from app.accounts.security.rate_limits import Limit, RateLimits
from tests.support import operations
from tests.support.bills import bill
from tests.support.running_backend import Person, RunningBackend

_FEW = 3

PAY = "mutation ($input: PayInvoiceInput!) { payInvoice(input: $input) { invoice { status } userErrors { code } } }"
CREATE_KEY = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret userErrors { code } } }"
ADD_EMAIL = "mutation ($input: AddEmailInput!) { addEmail(input: $input) { email { id } userErrors { code } } }"
ADD_CARD = "mutation ($input: AddPaymentMethodInput!) { addPaymentMethod(input: $input) { userErrors { code } } }"


@pytest_asyncio.fixture
async def strict(backend: RunningBackend, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[RunningBackend]:
    """The product with its limits on, nothing counted so far, and a few in place of many."""
    for name in (
        "resolvers.payment_rate_limits._CHARGES_PER_WORKSPACE",
        "resolvers.payment_rate_limits._CARDS_PER_WORKSPACE",
    ):
        monkeypatch.setattr(name, Limit(name, _FEW, 3600))
    monkeypatch.setattr("resolvers.api_key_mutations._KEYS_PER_WORKSPACE", Limit("keys", _FEW, 3600))
    monkeypatch.setattr("app.accounts.people.email_addresses.PER_USER", Limit("addresses", _FEW, 3600))
    runtime = backend.parts.runtime
    usual = runtime.rate_limits
    object.__setattr__(runtime, "rate_limits", RateLimits(uuid4().bytes, enabled=True))
    yield backend
    object.__setattr__(runtime, "rate_limits", usual)


async def _answer(backend: RunningBackend, who: Person, document: str, **given: object) -> list[str]:
    """The codes of what went wrong, whichever kind of error that was."""
    answer = (await backend.api.send(document, {"input": given}, token=who.token)).json()
    if "errors" in answer:
        return [error["extensions"]["code"] for error in answer["errors"]]
    [payload] = answer["data"].values()
    return [error["code"] for error in payload["userErrors"]]


async def _buy(backend: RunningBackend, who: Person, **order: object) -> list[str]:
    given: dict[str, Any] = {"workspaceId": who.workspace, "packCode": "starter", "idempotencyKey": uuid4().hex}
    return await _answer(backend, who, operations.RECHARGE, **{**given, **order})


async def test_replays_and_refused_forms_use_up_no_recharges(strict: RunningBackend) -> None:
    person, key = await strict.sign_up(), uuid4().hex
    await strict.add_card(person)
    assert await _buy(strict, person, idempotencyKey=key) == []

    for _ in range(_FEW):
        assert await _buy(strict, person, idempotencyKey=key) == []
        assert await _buy(strict, person, idempotencyKey=key, packCode="standard") == ["IDEMPOTENCY_CONFLICT"]
        assert await _buy(strict, person, packCode="nothing-like-it") == ["INVALID_INPUT"]
        assert await _buy(strict, person, successUrl="https://evil.example") == ["URL_NOT_ALLOWED"]

    assert [await _buy(strict, person) for _ in range(_FEW)] == [[], [], ["RATE_LIMITED"]]
    # what was bought is still told
    assert await _buy(strict, person, idempotencyKey=key) == []


async def test_new_keys_use_up_the_recharges_and_open_no_page_after_that(strict: RunningBackend) -> None:
    person = await strict.sign_up()
    for _ in range(_FEW):
        assert await _buy(strict, person) == ["PAYMENT_METHOD_REQUIRED"]
    pages = len(await strict.sandbox.requests("/v1/checkout/sessions$"))

    assert await _buy(strict, person) == ["RATE_LIMITED"]

    assert len(await strict.sandbox.requests("/v1/checkout/sessions$")) == pages


async def test_replays_of_a_payment_and_invoices_that_are_paid_use_up_nothing(strict: RunningBackend) -> None:
    person, key = await strict.sign_up(), uuid4().hex
    await strict.add_card(person)
    invoice = await bill(strict, person)
    assert await _answer(strict, person, PAY, invoiceId=invoice, idempotencyKey=key) == []

    for _ in range(_FEW):
        assert await _answer(strict, person, PAY, invoiceId=invoice, idempotencyKey=key) == []
        assert await _answer(strict, person, PAY, invoiceId=invoice, idempotencyKey=uuid4().hex) == ["NO_CHANGE"]

    assert [await _buy(strict, person) for _ in range(_FEW)] == [[], [], ["RATE_LIMITED"]]


async def test_a_card_that_could_not_be_begun_uses_up_nothing(strict: RunningBackend) -> None:
    person = await strict.sign_up()
    given = {"workspaceId": person.workspace}
    for _ in range(_FEW):
        await strict.sandbox.fail("error_500", "/v1/setup_intents", times=2)
        assert await _answer(strict, person, ADD_CARD, **given) == ["PAYMENT_UNAVAILABLE"]
        assert await _answer(strict, person, ADD_CARD, **given, returnUrl="https://evil.example") == ["URL_NOT_ALLOWED"]

    answers = [await _answer(strict, person, ADD_CARD, **given) for _ in range(_FEW + 1)]
    assert answers == [[]] * _FEW + [["RATE_LIMITED"]]


async def test_keys_that_are_refused_use_up_nothing(strict: RunningBackend) -> None:
    person = await strict.sign_up()
    given = {"workspaceId": person.workspace, "name": "a", "scopes": ["BILLING_READ"]}
    for _ in range(_FEW):
        assert await _answer(strict, person, CREATE_KEY, **{**given, "name": ""}) == ["INVALID_INPUT"]
        assert await _answer(strict, person, CREATE_KEY, **{**given, "scopes": []}) == ["INVALID_INPUT"]

    assert [await _answer(strict, person, CREATE_KEY, **given) for _ in range(_FEW + 1)] == [[]] * _FEW + [
        ["RATE_LIMITED"]
    ]


async def test_addresses_that_get_no_mail_use_up_no_mails(strict: RunningBackend) -> None:
    person = await strict.sign_up()
    for _ in range(_FEW):
        # it is verified already
        assert await _answer(strict, person, ADD_EMAIL, address=person.address) == []

    new = [await _answer(strict, person, ADD_EMAIL, address=f"{uuid4().hex}@example.com") for _ in range(_FEW + 1)]
    assert new == [[]] * _FEW + [["RATE_LIMITED"]]
