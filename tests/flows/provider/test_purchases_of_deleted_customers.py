"""Purchases that were under way with a customer deleted at Stripe end cleanly; what was paid before stays refundable."""

from __future__ import annotations

from typing import Any

import pytest

from app.db.tables.payments import FormerCustomerRow
from app.flows.provider.cards import sync_cards
from app.flows.purchases.former_customers import end_purchases_with
from tests.flows.provider.customers import (
    account_of,
    buy,
    codes_of,
    customer_of,
    delete_untold,
    no_job,
    pay_on_page,
    with_card,
)
from tests.support.client import eventually
from tests.support.running_backend import RunningBackend


async def test_an_open_page_of_the_former_customer_ends_its_purchase(own_backend: RunningBackend) -> None:
    backend, context = own_backend, own_backend.parts.flow_context
    person = await backend.sign_up()
    purchase = (await buy(backend, person))["purchase"]
    former = await delete_untold(backend, person)
    await sync_cards(context, person.workspace_id)

    async def ended() -> bool:
        return (await backend.purchase(purchase["id"], person))["status"] == "EXPIRED"

    assert await eventually(ended)
    page = (await buy(backend, person))["checkoutUrl"]
    await end_purchases_with(context, person.workspace_id, former)
    assert (await backend.api.http.get(page)).status_code == 200


async def test_a_payment_that_the_bank_was_asking_about_is_called_off(own_backend: RunningBackend) -> None:
    backend, context = own_backend, own_backend.parts.flow_context
    person = await backend.sign_up()
    await backend.add_card(person, "pm_card_authenticationRequired")
    purchase = (await buy(backend, person))["purchase"]
    assert purchase["status"] == "ACTION_REQUIRED"
    await delete_untold(backend, person)
    await sync_cards(context, person.workspace_id)

    async def ended() -> bool:
        return (await backend.purchase(purchase["id"], person))["status"] == "FAILED"

    assert await eventually(ended)
    assert (await backend.purchase(purchase["id"], person))["invoice"]["status"] == "VOID"


async def test_what_the_former_customer_had_paid_is_credited(own_backend: RunningBackend) -> None:
    backend, context = own_backend, own_backend.parts.flow_context
    person = await backend.sign_up()
    bought = await buy(backend, person)
    await backend.sandbox.deliver("drop")
    await pay_on_page(backend, bought["checkoutUrl"])
    await backend.sandbox.delete(f"/v1/customers/{await customer_of(backend, person)}")
    await sync_cards(context, person.workspace_id)

    async def credited() -> bool:
        return (await backend.purchase(bought["purchase"]["id"], person))["status"] == "SUCCEEDED"

    assert await eventually(credited)


async def test_a_refund_of_what_the_former_customer_paid_is_seen(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await with_card(backend)
    await backend.recharge(person)
    [charge] = await backend.charges(person)
    former = await customer_of(backend, person)
    await backend.sandbox.delete(f"/v1/customers/{former}")

    async def forgotten() -> bool:
        return (await account_of(backend, person)).customer_id is None

    await eventually(forgotten)
    await backend.sandbox.post("/v1/refunds", charge=charge["id"])

    async def taken_back() -> bool:
        return (await backend.balance(person))["available"] == "0"

    assert await eventually(taken_back)
    async with backend.database.read() as session:
        row = await session.get(FormerCustomerRow, former)
    assert row is not None
    assert row.workspace_id == person.workspace_id


async def test_what_becomes_of_an_invoice_of_the_former_customer_is_still_shown(own_backend: RunningBackend) -> None:
    backend, stripe = own_backend, own_backend.sandbox
    person = await with_card(backend)
    former = await customer_of(backend, person)
    made = await stripe.post("/v1/invoices", customer=former, currency="eur", auto_advance="false")
    item = {"customer": former, "invoice": made["id"], "amount": "1250", "currency": "eur"}
    await stripe.post("/v1/invoiceitems", **item)
    await stripe.post(f"/v1/invoices/{made['id']}/finalize")

    async def shown(status: str) -> bool:
        return [each["status"] for each in await backend.invoices(person)] == [status]

    await eventually(lambda: shown("OPEN"))
    await delete_untold(backend, person)
    await sync_cards(backend.parts.flow_context, person.workspace_id)
    await stripe.deliver("normal")

    await stripe.post(f"/v1/invoices/{made['id']}/void")

    assert await eventually(lambda: shown("VOID"))


@pytest.mark.parametrize("fault", ["create_invoice", "finalize"])
async def test_a_customer_deleted_in_the_middle_of_a_recharge_leaves_no_invoice_open(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    backend = own_backend
    no_job(monkeypatch)
    person = await with_card(backend)
    gateway = backend.parts.flow_context.gateway
    name = {"create_invoice": "create_invoice", "finalize": "finalize_invoice"}[fault]
    original = getattr(gateway, name)
    former = await customer_of(backend, person)

    async def deleted_before(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(gateway, name, original)
        await delete_untold(backend, person)
        return await original(*arguments, **named)

    monkeypatch.setattr(gateway, name, deleted_before)

    payload = await buy(backend, person)

    assert codes_of(payload) == ["PAYMENT_METHOD_REQUIRED"]
    assert await customer_of(backend, person) != former
    await backend.advance("PT3M")
    left = await backend.sandbox.listed("/v1/invoices", customer=former)
    assert [each["status"] for each in left if each["status"] not in ("void", "paid")] == []
