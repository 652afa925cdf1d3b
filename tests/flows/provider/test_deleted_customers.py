"""A customer deleted at Stripe is forgotten with its cards, and the next need makes a new one: whoever notices it, and however."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.db.tables.access import AuditEventRow
from app.flows.provider.cards import sync_cards
from app.flows.provider.customers import ensure_customer, forget_customer
from app.payments.gateway_values import Wallet
from tests.flows.deletion.steps import delete_account
from tests.flows.provider.customers import (
    account_of,
    buy,
    carried,
    codes_of,
    customer_of,
    delete_untold,
    no_job,
    pay_on_page,
    with_card,
)
from tests.support import operations
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

_DEFAULT = """mutation ($id: ID!) { setDefaultPaymentMethod(input: {id: $id}) { userErrors { code } } }"""
_REMOVE = """mutation ($id: ID!) { removePaymentMethod(input: {id: $id}) {
  workspace { paymentMethods { id } } userErrors { code } } }"""
_PROFILE = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { userErrors { code } } }"
_PAY = """mutation ($id: ID!, $key: String!) { payInvoice(input: {invoiceId: $id, idempotencyKey: $key}) {
  userErrors { code message } } }"""
_WATCH = "subscription ($id: ID!) { paymentMethodsChanged(workspaceId: $id) { paymentMethods { brand } } }"


async def _rename(backend: RunningBackend, person: Person) -> None:
    given = {"firstName": "Ada", "lastName": "Lovelace"}
    await backend.api.query(_PROFILE, {"input": given}, token=person.token)


# ------------------------------------------------------------------ by the event


async def test_a_reported_deletion_takes_the_cards_away_on_open_screens_too(backend: RunningBackend) -> None:
    person = await with_card(backend)
    former = await customer_of(backend, person)
    async with backend.api.socket(person.token) as socket:
        await socket.send(id="1", type="subscribe", payload={"query": _WATCH, "variables": {"id": person.workspace}})
        await socket.until(lambda state: state["paymentMethods"] != [])
        with capture_logs() as logs:
            await backend.sandbox.delete(f"/v1/customers/{former}")
            await socket.until(lambda state: state["paymentMethods"] == [])

    assert await backend.cards(person) == []
    assert (await account_of(backend, person)).customer_id is None
    told = [line for line in logs if line["event"] == "customer.deleted_at_provider"]
    assert [(line["customer"], line["workspace"]) for line in told] == [(former, str(person.workspace_id))]
    async with backend.database.read() as session:
        actions = await session.scalars(
            select(AuditEventRow.action).where(AuditEventRow.workspace_id == person.workspace_id)
        )
    assert "customer.deleted" in set(actions)


async def test_customer_deleted_alone_is_enough(own_backend: RunningBackend) -> None:
    """Without cards nothing is detached, so that only this event tells."""
    backend = own_backend
    person = await backend.sign_up()
    # of the customer's being written no event comes, after which the customer would be looked at
    await backend.sandbox.deliver("drop")
    await ensure_customer(backend.parts.flow_context, person.workspace_id)
    await backend.sandbox.deliver("normal")
    await backend.sandbox.delete(f"/v1/customers/{await customer_of(backend, person)}")

    async def forgotten() -> bool:
        return (await account_of(backend, person)).customer_id is None

    assert await eventually(forgotten)


async def test_a_deletion_reported_late_or_twice_does_not_forget_the_new_customer(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await with_card(backend)
    await backend.sandbox.deliver("hold")
    former = await customer_of(backend, person)
    await backend.sandbox.delete(f"/v1/customers/{former}")
    assert codes_of(await buy(backend, person)) == ["PAYMENT_METHOD_REQUIRED"]
    made = await customer_of(backend, person)

    await backend.sandbox.deliver("duplicate")
    await backend.sandbox.flush()
    await forget_customer(backend.parts.flow_context, person.workspace_id, former)

    account = await account_of(backend, person)
    assert made != former
    assert (account.customer_id, account.customer_generation) == (made, 1)


# ------------------------------------------------------------------ by the refusal of a call


async def test_a_recharge_ends_in_a_page_to_pay_on_that_works(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await with_card(backend)
    await delete_untold(backend, person)
    key = uuid4().hex

    payload = await buy(backend, person, key)

    assert codes_of(payload) == ["PAYMENT_METHOD_REQUIRED"]
    assert await backend.cards(person) == []
    again = await buy(backend, person, key)
    assert again["purchase"]["id"] == payload["purchase"]["id"]
    await backend.sandbox.deliver("normal")
    await pay_on_page(backend, payload["checkoutUrl"])

    async def paid() -> bool:
        return (await backend.purchase(payload["purchase"]["id"], person))["status"] == "SUCCEEDED"

    assert await eventually(paid)
    assert (await carried(backend, person))[1] == person.address
    await eventually(lambda: backend.cards(person))
    assert codes_of(await buy(backend, person)) == []


async def test_a_page_to_pay_on_is_opened_for_a_new_customer(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await ensure_customer(backend.parts.flow_context, person.workspace_id)
    former = await delete_untold(backend, person)

    payload = await buy(backend, person)

    assert (codes_of(payload), payload["purchase"]["status"]) == (["PAYMENT_METHOD_REQUIRED"], "PENDING")
    assert payload["checkoutUrl"] is not None
    assert await customer_of(backend, person) != former


async def test_a_card_is_added_to_a_new_customer(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await with_card(backend)
    former = await delete_untold(backend, person)
    given = {"input": {"workspaceId": person.workspace}}

    begun = (await backend.api.query(operations.ADD_CARD, given, token=person.token))["addPaymentMethod"]

    assert begun["userErrors"] == []
    assert await backend.cards(person) == []
    assert await customer_of(backend, person) != former
    await backend.sandbox.deliver("normal")
    await backend.add_card(person)
    assert codes_of(await backend.recharge(person)) == []


async def test_removing_a_card_that_went_with_its_customer_succeeds(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await with_card(backend)
    [card] = await backend.cards(person)
    await delete_untold(backend, person)

    payload = (await backend.api.query(_REMOVE, {"id": card["id"]}, token=person.token))["removePaymentMethod"]

    assert payload == {"workspace": {"paymentMethods": []}, "userErrors": []}


async def test_a_card_that_went_with_its_customer_can_not_be_the_default(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await with_card(backend)
    [card] = await backend.cards(person)
    await delete_untold(backend, person)

    answer = (await backend.api.send(_DEFAULT, {"id": card["id"]}, token=person.token)).json()

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]
    assert await backend.cards(person) == []


async def test_an_invoice_of_a_customer_who_is_gone_is_not_to_be_paid(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await with_card(backend)
    stripe, customer_id = backend.sandbox, await customer_of(backend, person)
    made = await stripe.post("/v1/invoices", customer=customer_id, currency="eur", auto_advance="false")
    item = {"customer": customer_id, "invoice": made["id"], "amount": "1250", "currency": "eur"}
    await stripe.post("/v1/invoiceitems", **item)
    await stripe.post(f"/v1/invoices/{made['id']}/finalize")

    async def listed() -> list[dict[str, Any]]:
        return [each for each in await backend.invoices(person) if each["status"] == "OPEN"]

    [invoice] = await eventually(listed)
    await delete_untold(backend, person)

    given = {"id": invoice["id"], "key": uuid4().hex}
    payload = (await backend.api.query(_PAY, given, token=person.token))["payInvoice"]

    assert [error["code"] for error in payload["userErrors"]] == ["NO_CHANGE"]
    assert "deleted" in payload["userErrors"][0]["message"]
    assert await backend.cards(person) == []


async def test_a_customer_that_can_not_be_brought_up_to_date_since_it_is_gone_is_forgotten(
    own_backend: RunningBackend,
) -> None:
    backend = own_backend
    person = await with_card(backend)
    await delete_untold(backend, person)

    await _rename(backend, person)

    async def forgotten() -> bool:
        return (await account_of(backend, person)).customer_id is None

    assert await eventually(forgotten)
    assert await backend.cards(person) == []


async def test_a_customer_that_is_gone_is_noticed_before_an_invoice_when_it_has_to_be_written(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    no_job(monkeypatch)
    person = await with_card(backend)
    former = await delete_untold(backend, person)
    await _rename(backend, person)

    payload = await buy(backend, person)

    assert codes_of(payload) == ["PAYMENT_METHOD_REQUIRED"]
    assert payload["checkoutUrl"] is not None
    assert await customer_of(backend, person) != former


async def test_an_account_whose_customer_is_gone_is_deleted(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await with_card(backend)
    await delete_untold(backend, person)

    assert await delete_account(backend, person) == []


# ------------------------------------------------------------------ at the same moment


@dataclass
class _Gate:
    """A gateway whose first look into a wallet is answered, and held back until it is let through."""

    gateway: Any
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    let_through: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.gateway, name)

    async def wallet(self, customer_id: str) -> Wallet:
        """Ask, and answer later."""
        wallet = await self.gateway.wallet(customer_id)
        self.reached.set()
        await self.let_through.wait()
        return wallet


async def test_cards_seen_before_the_customer_was_forgotten_do_not_come_back(own_backend: RunningBackend) -> None:
    backend, context = own_backend, own_backend.parts.flow_context
    person = await with_card(backend)
    gate = _Gate(context.gateway)
    late = asyncio.create_task(sync_cards(replace(context, gateway=gate), person.workspace_id))
    await gate.reached.wait()
    await delete_untold(backend, person)
    await sync_cards(context, person.workspace_id)

    gate.let_through.set()
    await late

    assert await backend.cards(person) == []


async def test_callers_at_once_make_one_new_customer(own_backend: RunningBackend) -> None:
    backend, context = own_backend, own_backend.parts.flow_context
    person = await with_card(backend)
    await delete_untold(backend, person)
    await sync_cards(context, person.workspace_id)

    made = await asyncio.gather(*(ensure_customer(context, person.workspace_id) for _ in range(5)))

    assert len(set(made)) == 1
    assert made[0] == await customer_of(backend, person)
