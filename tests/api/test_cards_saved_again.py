"""A card that is saved again replaces the one saved before; cards that Stripe has are seen before it is said that there is none."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.flows.provider import cards as card_flows
from app.store import billing_accounts as billing_account_store
from tests.support import operations
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

_AUDIT = """query ($id: ID!) { workspace(id: $id) { auditLog(first: 20) { nodes { action } } } }"""
_PAY = """mutation ($id: ID!, $key: String!) { payInvoice(input: {invoiceId: $id, idempotencyKey: $key}) {
  invoice { status } userErrors { code } } }"""
_ASKING = "pm_card_authenticationRequired"


async def _customer(backend: RunningBackend, person: Person) -> str:
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    assert account.customer_id is not None
    return account.customer_id


async def _at_stripe(backend: RunningBackend, person: Person) -> list[str]:
    """The cards that Stripe has, the newest first."""
    customer_id = await _customer(backend, person)
    return [card["id"] for card in await backend.sandbox.listed(f"/v1/customers/{customer_id}/payment_methods")]


async def _attach(backend: RunningBackend, person: Person, card: str) -> str:
    """A card attached in Stripe's dashboard."""
    customer_id = await _customer(backend, person)
    attached = await backend.sandbox.post(f"/v1/payment_methods/{card}/attach", customer=customer_id)
    return attached["id"]


async def _sync(backend: RunningBackend, person: Person) -> None:
    await card_flows.sync_cards(backend.parts.flow_context, person.workspace_id)


async def test_a_card_saved_again_replaces_the_older_one_here_and_at_stripe(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    first = await backend.add_card(person)
    other = await backend.add_card(person, "pm_card_mastercard")
    again = await backend.add_card(person)

    async def settled() -> bool:
        return len(await _at_stripe(backend, person)) == len(await backend.cards(person)) == 2

    assert await eventually(settled)
    assert again != first
    assert [(card["id"], card["isDefault"]) for card in await backend.cards(person)] == [(again, True), (other, False)]
    payload = await backend.recharge(person)
    assert payload["userErrors"] == []
    log = await backend.api.query(_AUDIT, {"id": person.workspace}, token=person.token)
    assert [each["action"] for each in log["workspace"]["auditLog"]["nodes"]].count("card.replaced") == 1


async def test_a_card_that_was_not_the_default_does_not_become_it_by_being_saved_again(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    default = await backend.add_card(person)
    await backend.add_card(person, "pm_card_mastercard")
    again = await backend.add_card(person, "pm_card_mastercard")

    assert [(card["id"], card["isDefault"]) for card in await backend.cards(person)] == [
        (default, True),
        (again, False),
    ]


async def test_a_card_saved_again_stands_beside_the_older_one_only_while_that_is_charged(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    charged = await backend.add_card(person, _ASKING)
    payload = await backend.recharge(person)
    again = await backend.add_card(person, _ASKING)
    meanwhile = [(card["id"], card["isDefault"]) for card in await backend.cards(person)]

    await backend.sandbox.answer_the_bank(payload["userErrors"][0]["hostedUrl"], "complete")

    async def alone() -> list[dict[str, Any]] | None:
        cards = await backend.cards(person)
        return cards if len(cards) == 1 else None

    left = await eventually(alone)
    assert meanwhile == [(charged, True), (again, False)]
    assert left is not None
    assert [(card["id"], card["isDefault"]) for card in left] == [(again, True)]
    purchase = await backend.purchase(payload["purchase"]["id"], person)
    assert (purchase["status"], len(await _at_stripe(backend, person))) == ("SUCCEEDED", 1)


async def test_cards_saved_again_at_once_leave_one_however_many_look_at_it(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.deliver("drop")
    newest = [await _attach(backend, person, "pm_card_visa") for _ in range(3)][-1]

    await asyncio.gather(*(_sync(backend, person) for _ in range(4)))

    assert await _at_stripe(backend, person) == [newest]
    [card] = await backend.cards(person)
    assert card["isDefault"]
    assert (await backend.recharge(person))["userErrors"] == []


class _Died(Exception):
    """Where the process would have died."""


async def test_a_replaced_card_that_a_crash_left_at_stripe_is_detached_by_the_next_look(
    backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.deliver("drop")
    newest = await _attach(backend, person, "pm_card_visa")
    gateway = backend.parts.flow_context.gateway

    async def dies(*_: object, **__: object) -> None:
        raise _Died

    with monkeypatch.context() as crash:
        crash.setattr(gateway, "set_default_card", dies)
        with pytest.raises(_Died):
            await _sync(backend, person)
    left = await backend.cards(person)

    await _sync(backend, person)

    assert len(left) == 1
    assert await _at_stripe(backend, person) == [newest]
    assert [(card["id"], card["isDefault"]) for card in await backend.cards(person)] == [(left[0]["id"], True)]


async def _billed_without_cards(backend: RunningBackend) -> Person:
    """Someone whose only card was removed, and of whom no event tells from now on."""
    person = await backend.sign_up()
    await backend.add_card(person)
    [card] = await _at_stripe(backend, person)
    await backend.sandbox.post(f"/v1/payment_methods/{card}/detach")

    async def none() -> bool:
        return await backend.cards(person) == []

    await eventually(none)
    return person


async def test_a_purchase_looks_at_stripe_before_it_says_that_there_is_no_card(backend: RunningBackend) -> None:
    person = await _billed_without_cards(backend)
    await backend.sandbox.deliver("drop")
    await _attach(backend, person, "pm_card_visa")

    payload = await backend.recharge(person)

    assert (payload["userErrors"], payload["purchase"]["status"]) == ([], "SUCCEEDED")


async def test_adding_a_card_shows_those_that_stripe_has_already(backend: RunningBackend) -> None:
    person = await _billed_without_cards(backend)
    await backend.sandbox.deliver("drop")
    await _attach(backend, person, "pm_card_visa")

    given = {"input": {"workspaceId": person.workspace}}
    begun = (await backend.api.query(operations.ADD_CARD, given, token=person.token))["addPaymentMethod"]

    assert begun["userErrors"] == []
    assert [card["brand"] for card in await backend.cards(person)] == ["visa"]


async def test_paying_an_invoice_looks_at_stripe_before_it_says_that_there_is_no_card(backend: RunningBackend) -> None:
    person = await _billed_without_cards(backend)
    customer_id = await _customer(backend, person)
    made = await backend.sandbox.post("/v1/invoices", customer=customer_id, currency="eur", auto_advance="false")
    item = {"customer": customer_id, "invoice": made["id"], "amount": "1250", "currency": "eur"}
    await backend.sandbox.post("/v1/invoiceitems", **item)
    await backend.sandbox.post(f"/v1/invoices/{made['id']}/finalize")
    [invoice] = await eventually(lambda: backend.invoices(person))
    await backend.sandbox.deliver("drop")
    await _attach(backend, person, "pm_card_visa")

    given = {"id": invoice["id"], "key": uuid4().hex}
    paid = (await backend.api.query(_PAY, given, token=person.token))["payInvoice"]

    assert paid == {"invoice": {"status": "PAID"}, "userErrors": []}
