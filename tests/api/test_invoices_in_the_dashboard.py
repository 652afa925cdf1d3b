"""Invoices that the seller voids, gives up or marks as paid in Stripe's dashboard: the mirror follows, money and credits agree."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from app.db.engine import Session
from app.db.reads import read_rows
from app.db.tables.payments import InvoiceRow
from app.db.tables.purchases import CreditPurchaseRow
from app.db.unit_of_work import transact
from app.flows.purchases.reconcile import reconcile_due_purchase
from app.ids import parse_global_id
from app.store import purchases as purchase_store
from resolvers.purchases import LAST_ID
from tests.support.bills import bill
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

PAY = """mutation ($input: PayInvoiceInput!) { payInvoice(input: $input) { userErrors { code } } }"""
ASKING = "pm_card_authenticationRequired"


async def _waiting(backend: RunningBackend) -> tuple[Person, dict[str, Any], str]:
    """Someone whose purchase waits for their bank; the answer, and Stripe's id of the open invoice."""
    person = await backend.sign_up()
    await backend.add_card(person, ASKING)
    payload = await backend.recharge(person)
    [invoice] = await backend.stripe_invoices(person)
    return person, payload, invoice["id"]


async def _ended(backend: RunningBackend, person: Person, payload: dict[str, Any], status: str) -> dict[str, Any]:
    """The purchase, once it has this status."""

    async def purchase() -> list[dict[str, Any]]:
        found = await backend.purchase(payload["purchase"]["id"], person)
        return [found] if found["status"] == status else []

    return (await eventually(purchase))[0]


async def _reconciled(backend: RunningBackend, person: Person, payload: dict[str, Any]) -> None:
    """The reconciler has checked the purchase."""
    purchase_id = parse_global_id(payload["purchase"]["id"]).id
    assert isinstance(purchase_id, UUID)
    await reconcile_due_purchase(backend.parts.flow_context, person.workspace_id, purchase_id)


async def _buys_again(backend: RunningBackend, person: Person) -> None:
    await backend.add_card(person, "pm_card_mastercard")
    cards = {card["brand"]: card["id"] for card in await backend.cards(person)}
    bought = await backend.recharge(person, paymentMethodId=cards["mastercard"])
    assert (bought["userErrors"], bought["purchase"]["status"]) == ([], "SUCCEEDED")


@pytest.mark.parametrize(("verb", "status"), [("void", "VOID"), ("mark_uncollectible", "UNCOLLECTIBLE")])
async def test_nothing_is_due_of_an_invoice_that_was_called_off_or_given_up(
    backend: RunningBackend, verb: str, status: str
) -> None:
    person, payload, invoice_id = await _waiting(backend)
    assert payload["invoice"]["amountDue"]["amount"] != "0.00"

    await backend.sandbox.post(f"/v1/invoices/{invoice_id}/{verb}")
    await _ended(backend, person, payload, "FAILED")

    async def mirrored() -> list[dict[str, Any]]:
        return [invoice for invoice in await backend.invoices(person) if invoice["status"] == status]

    [invoice] = await eventually(mirrored)
    assert invoice["amountDue"]["amount"] == "0.00"
    assert (await backend.balance(person))["available"] == "0"
    await _buys_again(backend, person)


@pytest.mark.parametrize("verb", ["void", "mark_uncollectible"])
async def test_a_purchase_whose_invoice_was_called_off_ends_though_no_event_tells_of_it(
    backend: RunningBackend, verb: str
) -> None:
    person, payload, invoice_id = await _waiting(backend)
    await backend.sandbox.deliver("drop")
    await backend.sandbox.post(f"/v1/invoices/{invoice_id}/{verb}")

    await _reconciled(backend, person, payload)

    purchase = await backend.purchase(payload["purchase"]["id"], person)
    assert purchase["status"] == "FAILED"
    assert purchase["failure"]
    [invoice] = await backend.invoices(person)
    assert invoice["amountDue"]["amount"] == "0.00"


async def test_a_given_up_invoice_that_is_paid_later_is_refunded_to_the_card(backend: RunningBackend) -> None:
    person, payload, invoice_id = await _waiting(backend)
    page = payload["userErrors"][0]["hostedUrl"]
    await backend.sandbox.post(f"/v1/invoices/{invoice_id}/mark_uncollectible")
    await _ended(backend, person, payload, "FAILED")

    await backend.sandbox.answer_the_bank(page, "complete")

    async def refunded() -> bool:
        charges = await backend.charges(person)
        return bool(charges) and all(charge["refunded"] for charge in charges)

    assert await eventually(refunded)
    assert (await backend.balance(person))["available"] == "0"
    assert (await backend.purchase(payload["purchase"]["id"], person))["status"] == "FAILED"


@pytest.mark.parametrize("given_up_before", [False, True])
async def test_an_invoice_marked_as_paid_another_way_is_credited_once(
    backend: RunningBackend, given_up_before: bool
) -> None:
    person, payload, invoice_id = await _waiting(backend)
    if given_up_before:
        await backend.sandbox.post(f"/v1/invoices/{invoice_id}/mark_uncollectible")
        await _ended(backend, person, payload, "FAILED")

    await backend.sandbox.post(f"/v1/invoices/{invoice_id}/pay", paid_out_of_band="true")
    purchase = await _ended(backend, person, payload, "SUCCEEDED")
    await _reconciled(backend, person, payload)

    assert (purchase["failure"], purchase["invoice"]["status"]) == (None, "PAID")
    assert (await backend.balance(person))["available"] == purchase["credits"]
    assert len((await backend.history(person))["nodes"]) == 1
    assert await backend.charges(person) == []


async def test_a_purchase_given_up_before_it_was_paid_leaves_no_work_behind_though_its_invoice_can_not_be_voided(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.deliver("drop")
    await backend.sandbox.fail("drop_after", "/v1/invoices/.*/finalize", times=2)
    await backend.sandbox.fail("error_500", "/v1/invoices/.*/void", times=2)
    refused = await backend.recharge(person)
    assert [error["code"] for error in refused["userErrors"]] == ["PAYMENT_UNAVAILABLE"]
    [invoice] = await backend.stripe_invoices(person)
    void = f"/v1/invoices/{invoice['id']}/void"

    async def put_off() -> bool:
        return len(await backend.sandbox.requests(void)) == 2

    await eventually(put_off)
    await backend.sandbox.post(f"/v1/invoices/{invoice['id']}/mark_uncollectible")

    [before] = await read_rows(backend.database, purchase_store.PAGE, person.workspace_id, 1, LAST_ID)
    await reconcile_due_purchase(backend.parts.flow_context, person.workspace_id, before.id)
    [after] = await read_rows(backend.database, purchase_store.PAGE, person.workspace_id, 1, LAST_ID)

    assert (before.status, after.status) == ("FAILED", "FAILED")
    assert before.next_check_at is not None
    assert after.next_check_at is None


async def _delete_all_test_data(backend: RunningBackend, person: Person) -> None:
    """Let Stripe have nothing of the person's any more: no page and no invoice that is known here."""

    async def rename(session: Session) -> None:
        gone = f"gone_{uuid4().hex}"
        mine = CreditPurchaseRow.workspace_id == person.workspace_id
        page, invoice = CreditPurchaseRow.checkout_session_id, CreditPurchaseRow.invoice_id
        await session.execute(update(CreditPurchaseRow).where(mine, page.is_not(None)).values(checkout_session_id=gone))
        await session.execute(update(CreditPurchaseRow).where(mine, invoice.is_not(None)).values(invoice_id=gone))
        theirs = InvoiceRow.workspace_id == person.workspace_id
        await session.execute(update(InvoiceRow).where(theirs).values(provider_id=gone))

    await transact(backend.database, rename)


async def test_a_page_that_stripe_no_longer_has_keeps_nobody_from_paying_on_another(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    first = await backend.recharge(person)
    await _delete_all_test_data(backend, person)

    again = await backend.recharge(person)

    assert [error["code"] for error in again["userErrors"]] == ["PAYMENT_METHOD_REQUIRED"]
    assert (await backend.purchase(first["purchase"]["id"], person))["status"] == "EXPIRED"


async def test_nothing_is_due_of_an_invoice_that_stripe_no_longer_has(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person, ASKING)
    await backend.sandbox.deliver("drop")
    payload = await backend.recharge(person)
    await _delete_all_test_data(backend, person)

    await _reconciled(backend, person, payload)

    [invoice] = await backend.invoices(person)
    assert (invoice["status"], invoice["amountDue"]["amount"]) == ("VOID", "0.00")
    assert (await backend.purchase(payload["purchase"]["id"], person))["status"] == "FAILED"


async def test_an_invoice_that_stripe_no_longer_has_is_not_payable(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    given = {"input": {"invoiceId": await bill(backend, person), "idempotencyKey": uuid4().hex}}
    await backend.sandbox.flush()
    await _delete_all_test_data(backend, person)

    payload = (await backend.api.query(PAY, given, token=person.token))["payInvoice"]

    assert [error["code"] for error in payload["userErrors"]] == ["NO_CHANGE"]
    assert "VOID" in [invoice["status"] for invoice in await backend.invoices(person)]
