"""What tests of customers do and look up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from app.db.tables.payments import BillingAccountRow
from tests.flows.deletion.steps import new_organization
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend


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


def no_job(monkeypatch: Any) -> None:
    """Let the worker find no customer that is due."""

    async def nothing(_session: object, *, limit: int) -> list[object]:
        return []

    monkeypatch.setattr("app.store.customers.due", nothing)
