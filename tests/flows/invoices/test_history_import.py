"""Importing a customer that had a history at Stripe: mirrored whole, once, wherever it was interrupted, and nobody is mailed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import update

from app.db.engine import Session
from app.db.tables.billing_details import CustomerImportRow
from app.db.unit_of_work import transact
from app.errors import Conflict, NotFound
from app.flows.flow_context import FlowContext
from app.flows.invoices.history_import import adopt_customer, import_history
from app.jobs import due_works
from app.payments.gateway import Gateway
from app.payments.gateway_errors import GatewayUnavailable
from app.payments.gateway_values import HistoryPage, ProviderInvoice
from app.store import customer_imports as customer_import_store
from tests.support.billing_details import details, portal_url
from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import customer_of, subscribe, subscription

_HANDLE = "query ($id: ID!) { workspace(id: $id) { handle } }"
_PAGE = """query ($id: ID!, $after: String) { workspace(id: $id) { invoices(first: 100, after: $after) {
  nodes { number status total { amount } amountDue { amount } amountRefunded { amount } }
  pageInfo { hasNextPage endCursor } } } }"""


class _KilledError(Exception):
    """The process is killed here."""


class _Gateway:
    """The gateway, but for what a test does around the pages of invoices."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.pages_left: int | None = None
        self.read: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def after_page(self) -> None:
        """What happens between fetching a page and storing it."""

    async def invoice_page(self, customer_id: str, *, after: str | None, most: int) -> HistoryPage[ProviderInvoice]:
        """A page, or none where the process is killed before."""
        if self.pages_left == 0:
            raise GatewayUnavailable("killed")
        self.pages_left = self.pages_left - 1 if self.pages_left is not None else None
        page = await self._gateway.invoice_page(customer_id, after=after, most=most)
        self.read += [invoice.id for invoice in page.found]
        await self.after_page()
        return page


def _context(backend: RunningBackend, gateway: _Gateway | None = None) -> FlowContext:
    context = backend.parts.flow_context
    return replace(context, gateway=cast("Gateway", gateway)) if gateway is not None else context


async def _handle(backend: RunningBackend, person: Person) -> str:
    return (await backend.api.query(_HANDLE, {"id": person.workspace}, token=person.token))["workspace"]["handle"]


async def _adopt(backend: RunningBackend, person: Person, customer: str) -> CustomerImportRow:
    return await adopt_customer(backend.parts.flow_context, await _handle(backend, person), customer)


async def _shown(backend: RunningBackend, person: Person) -> list[dict[str, Any]]:
    """All invoices, the newest first."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        data = await backend.api.query(_PAGE, {"id": person.workspace, "after": after}, token=person.token)
        page = data["workspace"]["invoices"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


async def _customer(backend: RunningBackend, invoices: int = 0, **more: str) -> str:
    """A customer that somebody else's program made, with a card and so many paid invoices over 1.00, 2.00 and so on."""
    stripe = backend.sandbox
    customer = (await stripe.post("/v1/customers", **{"name": "Acme Ltd", "email": "accounts@acme.example", **more}))[
        "id"
    ]
    card = (await stripe.post("/v1/payment_methods/pm_card_visa/attach", customer=customer))["id"]
    await stripe.post(f"/v1/customers/{customer}", **{"invoice_settings[default_payment_method]": card})
    for number in range(1, invoices + 1):
        await _bill(backend, customer, 100 * number)
    return customer


async def _bill(backend: RunningBackend, customer: str, amount: int, *, pays: bool = True) -> str:
    stripe = backend.sandbox
    invoice = (await stripe.post("/v1/invoices", customer=customer, auto_advance="false", currency="eur"))["id"]
    await stripe.post("/v1/invoiceitems", customer=customer, invoice=invoice, amount=str(amount), currency="eur")
    await stripe.post(f"/v1/invoices/{invoice}/finalize")
    if pays:
        await stripe.post(f"/v1/invoices/{invoice}/pay")
    return invoice


async def _row(backend: RunningBackend, person: Person) -> CustomerImportRow:
    async with backend.database.read() as session:
        row = await customer_import_store.find(session, person.workspace_id)
    assert row is not None
    return row


async def _is_done(backend: RunningBackend, person: Person) -> bool:
    return (await _row(backend, person)).stage == "DONE"


async def _lapse(backend: RunningBackend) -> None:
    """Let the claim of a process that was killed be over."""
    past = update(CustomerImportRow).where(CustomerImportRow.next_check_at.is_not(None))

    async def work(session: Session) -> None:
        await session.execute(past.values(next_check_at=session.real_now))

    await transact(backend.database, work)


@pytest.fixture
def without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker goes on with no import: it is the test that does."""

    async def nothing(_context: FlowContext, _workspace_id: UUID) -> None:
        return

    monkeypatch.setattr(due_works, "import_history", nothing)


@pytest.mark.usefixtures("without_worker")
async def test_more_than_a_hundred_invoices_are_there_once_after_it_was_killed_twice(
    own_backend: RunningBackend,
) -> None:
    backend, person = own_backend, await own_backend.sign_up()
    customer = await _customer(backend, 105)
    await _adopt(backend, person, customer)
    gateway = _Gateway(backend.parts.flow_context.gateway)
    for pages in (3, 2):
        gateway.pages_left = pages
        with pytest.raises(GatewayUnavailable):
            await import_history(_context(backend, gateway), person.workspace_id, page=10)
        await _lapse(backend)
    gateway.pages_left = None
    await import_history(_context(backend, gateway), person.workspace_id, page=10)

    found = await _shown(backend, person)
    assert sorted(float(invoice["total"]["amount"]) for invoice in found) == list(range(1, 106))
    assert {invoice["status"] for invoice in found} == {"PAID"}
    row = await _row(backend, person)
    assert (row.stage, row.invoices) == ("DONE", 105)
    # it went on after the last page each time
    assert len(gateway.read) == len(set(gateway.read)) == 105
    assert await mails_to(backend, person.address) == []


@pytest.mark.usefixtures("without_worker")
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_commit_it_goes_on_where_it_was(own_backend: RunningBackend, when: str) -> None:
    backend, person = own_backend, await own_backend.sign_up()
    customer = await _customer(backend, 5)
    [newest, *_] = await backend.sandbox.listed("/v1/charges", customer=customer)
    await backend.sandbox.post("/v1/refunds", charge=newest["id"], amount="200")
    await _adopt(backend, person, customer)
    points = [
        f"import.{step}:{when}-commit" for step in ("claim", "present", "invoices", "invoices", "returns", "returns")
    ]

    def die(point: str) -> None:
        if points and point == points[0]:
            points.pop(0)
            raise _KilledError

    backend.database.fault = die
    while points:
        with pytest.raises(_KilledError):
            await import_history(_context(backend), person.workspace_id, page=2)
        await _lapse(backend)
    await import_history(_context(backend), person.workspace_id, page=2)

    found = await _shown(backend, person)
    assert sorted((each["total"]["amount"], each["amountRefunded"]["amount"]) for each in found) == [
        *((f"{number}.00", "0.00") for number in (1, 2, 3, 4)),
        ("5.00", "2.00"),
    ]
    assert (await _row(backend, person)).invoices == 5


async def test_the_worker_imports_what_was_adopted_and_twice_is_fine(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend, 3)
    await _adopt(backend, person, customer)
    await eventually(lambda: _is_done(backend, person))
    assert len(await _shown(backend, person)) == 3
    assert [card["brand"] for card in await backend.cards(person)] == ["visa"]
    again = await _adopt(backend, person, customer)
    await import_history(_context(backend), person.workspace_id)
    assert (again.stage, len(await _shown(backend, person))) == ("DONE", 3)
    assert await customer_of(backend, person) == customer


async def test_several_at_once_read_everything_once(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend, 6)
    await _adopt(backend, person, customer)
    await asyncio.gather(*(import_history(_context(backend), person.workspace_id, page=2) for _ in range(4)))
    await eventually(lambda: _is_done(backend, person))
    assert (await _row(backend, person)).invoices == len(await _shown(backend, person)) == 6


@pytest.mark.usefixtures("without_worker")
async def test_what_an_event_told_meanwhile_is_not_overwritten_by_an_older_page(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend)
    open_invoice = await _bill(backend, customer, 900, pays=False)
    await _adopt(backend, person, customer)

    class _Slow(_Gateway):
        async def after_page(self) -> None:
            # a part of it is called off by a credit note
            await backend.sandbox.post("/v1/credit_notes", invoice=open_invoice, amount="400")

            async def is_told() -> bool:
                return [each["amountDue"]["amount"] for each in await _shown(backend, person)] == ["5.00"]

            await eventually(is_told)

    slow = _Slow(backend.parts.flow_context.gateway)
    await import_history(_context(backend, slow), person.workspace_id)
    [invoice] = await _shown(backend, person)
    assert (invoice["status"], invoice["amountDue"]["amount"]) == ("OPEN", "5.00")


async def test_name_address_and_tax_ids_stay_as_they_were_there(backend: RunningBackend) -> None:
    address = {
        "address[line1]": "High Street 1",
        "address[city]": "Ghent",
        "address[country]": "BE",
        "tax_exempt": "exempt",
    }
    person, customer = await backend.sign_up(), await _customer(backend, 0, **address)
    await backend.sandbox.post(f"/v1/customers/{customer}/tax_ids", type="eu_vat", value="BE0123456789")
    await _adopt(backend, person, customer)
    await eventually(lambda: _is_done(backend, person))
    found = await details(backend, person)
    assert (found["name"], found["email"], found["address"]["city"]) == ("Acme Ltd", "accounts@acme.example", "Ghent")
    assert [tax_id["value"] for tax_id in found["taxIds"]] == ["BE0123456789"]
    # and what was set by hand is kept, though an invoice is made for it
    assert (await backend.recharge(person))["invoice"]["tax"]["amount"] == "0.00"
    there = await backend.sandbox.fetched(f"/v1/customers/{customer}")
    assert (there["name"], there["email"], there["tax_exempt"]) == ("Acme Ltd", "accounts@acme.example", "exempt")


async def test_a_subscription_to_a_price_of_the_catalog_becomes_the_plan(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend)
    prices = await backend.sandbox.listed(
        "/v1/prices", **{"lookup_keys[]": "analytics-plan-team-seat-month-1900eur-inclusive"}
    )
    given = {"items[0][price]": prices[0]["id"], "items[0][quantity]": "4"}
    await backend.sandbox.post("/v1/subscriptions", customer=customer, **given)
    await _adopt(backend, person, customer)
    await eventually(lambda: _is_done(backend, person))
    found = await subscription(backend, person)
    assert (found["plan"]["code"], found["seats"]["total"]) == ("team", 4)
    assert (await _row(backend, person)).foreign_subscriptions == ""


async def test_a_subscription_to_something_else_is_left_alone_and_named(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend)
    product = (await backend.sandbox.post("/v1/products", name="Consulting"))["id"]
    recurring = {"recurring[interval]": "month", "unit_amount": "7700", "currency": "eur"}
    price = (await backend.sandbox.post("/v1/prices", product=product, **recurring))["id"]
    made = await backend.sandbox.post("/v1/subscriptions", customer=customer, **{"items[0][price]": price})
    await _adopt(backend, person, customer)
    await eventually(lambda: _is_done(backend, person))
    assert (await _row(backend, person)).foreign_subscriptions == made["id"]
    assert (await subscription(backend, person))["plan"]["code"] == "free"
    assert (await backend.sandbox.fetched(f"/v1/subscriptions/{made['id']}"))["status"] == "active"
    [invoice] = await _shown(backend, person)
    assert (invoice["status"], invoice["total"]["amount"]) == ("PAID", "77.00")


async def test_a_customer_is_adopted_by_one_workspace_only(backend: RunningBackend) -> None:
    first, second, customer = await backend.sign_up(), await backend.sign_up(), await _customer(backend)
    await _adopt(backend, first, customer)
    with pytest.raises(Conflict, match="another workspace's"):
        await _adopt(backend, second, customer)


async def test_a_workspace_with_money_behind_its_customer_keeps_it(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend)
    await backend.add_card(person)
    with pytest.raises(Conflict, match="has a customer"):
        await _adopt(backend, person, customer)
    assert await customer_of(backend, person) != customer


async def test_a_customer_with_nothing_behind_it_gives_way(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend, 1)
    await portal_url(backend, person)
    before = await customer_of(backend, person)
    await _adopt(backend, person, customer)
    assert await customer_of(backend, person) == customer != before
    await eventually(lambda: _is_done(backend, person))


async def test_what_is_not_there_is_said(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend)
    with pytest.raises(NotFound, match="no customer 'cus_nothing'"):
        await _adopt(backend, person, "cus_nothing")
    with pytest.raises(NotFound, match="no workspace"):
        await adopt_customer(backend.parts.flow_context, "nobody-has-this", customer)


async def test_an_adopted_customer_can_buy_and_is_mailed_about_that_alone(backend: RunningBackend) -> None:
    person, customer = await backend.sign_up(), await _customer(backend, 2)
    await _adopt(backend, person, customer)
    await eventually(lambda: _is_done(backend, person))
    await subscribe(backend, person, "personal")

    async def mailed() -> list[str]:
        return [mail["subject"] for mail in await mails_to(backend, person.address) if "is paid" in mail["subject"]]

    [subject] = await eventually(mailed)
    assert subject.endswith("is paid: 9.00 EUR")
