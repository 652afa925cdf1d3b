"""What tests of customers do and look up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import update

from app.db.engine import Session
from app.db.tables.payments import BillingAccountRow
from app.db.tables.people import EmailRow
from app.db.unit_of_work import transact
from app.store import customers as customer_store
from tests.flows.deletion.steps import new_organization
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

_RECHARGE = """mutation ($input: RechargeCreditsInput!) { rechargeCredits(input: $input) {
  purchase { id status } checkoutUrl userErrors { code } } }"""


async def account_of(backend: RunningBackend, payer: Person) -> BillingAccountRow:
    """The billing account of a workspace, as it is now."""
    async with backend.database.read() as session:
        account = await session.get(BillingAccountRow, payer.workspace_id)
    assert account is not None
    return account


async def customer_of(backend: RunningBackend, payer: Person) -> str:
    """The id of a workspace's customer, which there must be."""
    customer_id = (await account_of(backend, payer)).customer_id
    assert customer_id is not None
    return customer_id


async def carried(backend: RunningBackend, payer: Person) -> tuple[str | None, str | None]:
    """The name and address that the workspace's customer has at Stripe."""
    return _named(await backend.sandbox.fetched(f"/v1/customers/{await customer_of(backend, payer)}"))


async def carries(backend: RunningBackend, payer: Person, name: str | None, email: str | None) -> bool:
    """Whether the customer comes to have this name and address, and nothing is to be written any more."""

    async def agrees() -> bool:
        account = await account_of(backend, payer)
        return account.customer_due_at is None and await carried(backend, payer) == (name, email)

    return await eventually(agrees)


async def billed_to(backend: RunningBackend, payer: Person) -> tuple[str | None, str | None]:
    """The name and address on the workspace's newest invoice at Stripe."""
    invoice = (await backend.stripe_invoices(payer))[0]
    return invoice["customer_name"], invoice["customer_email"]


def _named(customer: dict[str, Any]) -> tuple[str | None, str | None]:
    return customer["name"], customer["email"]


async def organization_of(backend: RunningBackend, **members: Person) -> Person:
    """A new organization with these members by role, as its owner pays for it."""
    workspace_id = await new_organization(backend, f"o-{uuid4().hex[:12]}", **members)
    return replace(members["owner"], workspace_id=workspace_id)


async def paying_organization(backend: RunningBackend, **members: Person) -> Person:
    """`organization_of` whose owner has saved a card for it; its customer carries what is true."""
    organization = await organization_of(backend, **members)
    await backend.add_card(organization)
    return organization


async def settled_customer(backend: RunningBackend, payer: Person) -> None:
    """Wait until nothing of the workspace's customer is to be written."""

    async def done() -> bool:
        return (await account_of(backend, payer)).customer_due_at is None

    await eventually(done)


async def give_odd_address(backend: RunningBackend, person: Person) -> None:
    """Let a person have an address that Stripe does not take."""

    async def odd(session: Session) -> None:
        await session.execute(
            update(EmailRow).where(EmailRow.user_id == person.user_id).values(address="ada@localhost")
        )
        await customer_store.mark_due_of_owner(session, person.user_id)

    await transact(backend.database, odd)


def no_job(monkeypatch: Any) -> None:
    """Let the worker find no customer that is due."""

    async def nothing(_session: object, *, limit: int) -> list[object]:
        return []

    monkeypatch.setattr("app.store.customers.due", nothing)


async def with_card(backend: RunningBackend) -> Person:
    """Someone with a card on file."""
    person = await backend.sign_up()
    await backend.add_card(person)
    return person


async def delete_untold(backend: RunningBackend, person: Person) -> str:
    """Delete the person's customer at Stripe, of which no event tells; the customer's id."""
    customer_id = await customer_of(backend, person)
    await backend.sandbox.deliver("drop")
    await backend.sandbox.delete(f"/v1/customers/{customer_id}")
    return customer_id


async def buy(backend: RunningBackend, person: Person, key: str | None = None) -> dict[str, Any]:
    """The payload of a recharge by the first pack, with the page to pay on where there is one."""
    pack = backend.parts.runtime.catalog.packs[0].code
    given = {"workspaceId": person.workspace, "packCode": pack, "idempotencyKey": key or uuid4().hex}
    return (await backend.api.query(_RECHARGE, {"input": given}, token=person.token))["rechargeCredits"]


def codes_of(payload: dict[str, Any]) -> list[str]:
    """The codes of a payload's user errors."""
    return [error["code"] for error in payload["userErrors"]]


async def pay_on_page(backend: RunningBackend, url: str) -> None:
    """Pay on a page of the sandbox's."""
    answer = await backend.api.http.post(url, data={"card": "pm_card_visa"})
    assert answer.status_code == 303, answer.text
