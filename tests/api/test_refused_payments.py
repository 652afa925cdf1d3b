"""What Stripe refuses for good ends at once, and whatever refuses the credits once the money has moved gives the money back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.money import MAX_STEPS
from app.store import billing_accounts as billing_account_store
from app.store import provider_events as provider_event_store
from app.store import purchases as purchase_store
from tests.support.bills import bill
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

CHECKOUT = """mutation ($input: RechargeCreditsInput!) { rechargeCredits(input: $input) {
  purchase { id status } checkoutUrl userErrors { code path } } }"""
PAY = """mutation ($input: PayInvoiceInput!) { payInvoice(input: $input) {
  invoice { status } userErrors { code message } } }"""


def _codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def _customer(backend: RunningBackend, person: Person) -> str:
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    assert account.customer_id is not None
    return account.customer_id


async def _detach_unseen(backend: RunningBackend, person: Person) -> None:
    """Someone takes the card off in Stripe's dashboard, and no event tells it."""
    await backend.sandbox.flush()

    async def processed() -> bool:
        # an event of saving the card, processed later, would have the cards looked at
        until = backend.database.clock.real_now()
        async with backend.database.read() as session:
            return not await provider_event_store.unprocessed(
                session, since=until - timedelta(hours=1), until=until, limit=1
            )

    assert await eventually(processed)
    [card] = await backend.sandbox.listed(f"/v1/customers/{await _customer(backend, person)}/payment_methods")
    await backend.sandbox.deliver("drop")
    await backend.sandbox.post(f"/v1/payment_methods/{card['id']}/detach")


async def test_a_payment_that_stripe_refuses_ends_at_once_and_has_the_cards_looked_at(
    backend: RunningBackend,
) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person)
    await _detach_unseen(backend, person)

    payload = await backend.recharge(person, key=key)

    assert (_codes(payload), payload["purchase"]["status"]) == (["PAYMENT_DECLINED"], "FAILED")
    assert "can't be charged any more" in payload["userErrors"][0]["message"]
    assert payload["invoice"]["status"] == "VOID"
    assert [invoice["status"] for invoice in await backend.stripe_invoices(person)] == ["void"]
    assert await backend.cards(person) == []
    assert await backend.recharge(person, key=key) == payload
    assert await backend.charges(person) == []


async def test_an_invoice_that_is_paid_with_a_card_no_longer_there_says_so_at_once_and_stays_open(
    backend: RunningBackend,
) -> None:
    person, key = await backend.sign_up(), uuid4().hex
    await backend.add_card(person)
    given = {"input": {"invoiceId": await bill(backend, person), "idempotencyKey": key}}
    await _detach_unseen(backend, person)

    first = (await backend.api.query(PAY, given, token=person.token))["payInvoice"]
    again = (await backend.api.query(PAY, given, token=person.token))["payInvoice"]

    assert (_codes(first), first["invoice"]["status"]) == (["PAYMENT_DECLINED"], "OPEN")
    assert again == first
    assert await backend.cards(person) == []


async def test_paying_an_invoice_that_was_called_off_unseen_is_no_decline(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    given = {"input": {"invoiceId": await bill(backend, person), "idempotencyKey": uuid4().hex}}
    await backend.sandbox.deliver("drop")
    [invoice] = await backend.stripe_invoices(person)
    await backend.sandbox.post(f"/v1/invoices/{invoice['id']}/void")

    payload = (await backend.api.query(PAY, given, token=person.token))["payInvoice"]

    assert (_codes(payload), payload["invoice"]["status"]) == (["NO_CHANGE"], "VOID")


async def _fill(backend: RunningBackend, person: Person) -> None:
    """A slip of an operator's: as many credits as can be counted."""
    await backend.grant(person, str(MAX_STEPS - int((await backend.balance(person))["available"])), source="ADJUSTMENT")


async def test_a_purchase_that_the_balance_has_no_room_for_is_refused_before_the_card_is_touched(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await _fill(backend, person)

    payload = await backend.recharge(person)

    assert [(error["code"], error["path"]) for error in payload["userErrors"]] == [
        ("INVALID_INPUT", ["input", "packCode"])
    ]
    assert payload["purchase"] is None
    assert await backend.charges(person) == []
    assert await backend.stripe_invoices(person) == []


async def test_no_page_is_opened_for_a_purchase_that_the_balance_has_no_room_for(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await _fill(backend, person)

    payload = await _open(backend, person)

    assert (_codes(payload), payload["checkoutUrl"]) == (["INVALID_INPUT"], None)


async def _open(backend: RunningBackend, person: Person, key: str | None = None) -> dict[str, Any]:
    given = {"workspaceId": person.workspace, "packCode": "starter", "idempotencyKey": key or uuid4().hex}
    return (await backend.api.query(CHECKOUT, {"input": given}, token=person.token))["rechargeCredits"]


async def _refunded(backend: RunningBackend, person: Person, purchase_id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        charges = await backend.charges(person)
        return charges[0] if charges and charges[0]["refunded"] else None

    charge = await eventually(look)
    assert charge is not None
    purchase = await backend.purchase(purchase_id, person)
    assert purchase["status"] == "FAILED"
    assert purchase["failure"] == "The credits could not be added to the balance. The payment goes back to the card."
    return charge


@pytest.mark.parametrize("mode", ["normal", "drop"])
async def test_a_payment_whose_credits_are_refused_goes_back_to_the_card(
    own_backend: RunningBackend, mode: str
) -> None:
    person, key = await own_backend.sign_up(), uuid4().hex
    opened = await _open(own_backend, person, key)
    await own_backend.sandbox.deliver(mode)
    await _fill(own_backend, person)

    await own_backend.api.http.post(opened["checkoutUrl"], data={"card": "pm_card_visa"})
    if mode == "drop":
        await own_backend.advance("PT35M")

    charge = await _refunded(own_backend, person, opened["purchase"]["id"])
    assert charge["amount_refunded"] == charge["amount"]
    assert _codes(await _open(own_backend, person, key)) == ["CONFLICT"]
    # nothing is left to do, and nothing was credited
    await own_backend.advance("PT2H")
    assert len([node for node in (await own_backend.history(person))["nodes"] if node["kind"] == "PURCHASE"]) == 0
    assert [(refund["amount"], refund["status"]) for refund in await own_backend.sandbox.listed("/v1/refunds")] == [
        (500, "succeeded")
    ]
    async with own_backend.database.read() as session:
        assert await purchase_store.next_check_at(session) is None


async def test_a_refund_of_refused_credits_that_could_not_be_sent_is_sent_later(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    opened = await _open(own_backend, person)
    await own_backend.sandbox.deliver("drop")
    await _fill(own_backend, person)
    await own_backend.api.http.post(opened["checkoutUrl"], data={"card": "pm_card_visa"})
    await own_backend.sandbox.fail("error_500", "/v1/refunds", times=6)
    await own_backend.sandbox.fail("error_500", "/v1/payment_intents.*", method="GET", times=6)

    await own_backend.advance("PT2H")

    await _refunded(own_backend, person, opened["purchase"]["id"])


async def test_a_confirmed_payment_whose_credits_are_refused_goes_back_to_the_card(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    card = await backend.add_card(person, "pm_card_authenticationRequired")
    asked = await backend.recharge(person, paymentMethodId=card)
    await _fill(backend, person)

    await backend.sandbox.answer_the_bank(asked["userErrors"][0]["hostedUrl"], "complete")

    await _refunded(backend, person, asked["purchase"]["id"])


async def test_credits_that_can_not_be_given_again_after_a_won_dispute_keep_nothing_else_from_being_told(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    bought = await backend.recharge(person)
    [charge] = await backend.charges(person)
    url = f"{backend.sandbox.url}/_sandbox/disputes"
    opened = (await backend.api.http.post(url, json={"charge": charge["id"]})).raise_for_status().json()
    await _status(backend, person, bought["purchase"]["id"], "DISPUTED")
    await _fill(backend, person)

    (await backend.api.http.post(f"{url}/{opened['id']}", json={"status": "won"})).raise_for_status()

    await _status(backend, person, bought["purchase"]["id"], "SUCCEEDED")


async def _status(backend: RunningBackend, person: Person, purchase_id: str, status: str) -> None:
    async def look() -> bool:
        return (await backend.purchase(purchase_id, person))["status"] == status

    await eventually(look)
