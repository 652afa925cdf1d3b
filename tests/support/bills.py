"""Invoices that the seller makes in Stripe, past the product."""

from __future__ import annotations

from typing import Any

from app.store import billing_accounts as billing_account_store
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend


async def bill(backend: RunningBackend, person: Person) -> str:
    """Issue an invoice of 12.50 to somebody who has a customer in Stripe, and wait until it is open here; its id in the API."""
    async with backend.database.read() as session:
        account = await billing_account_store.find(session, person.workspace_id)
    assert account is not None
    stripe, customer = backend.sandbox, account.customer_id or ""
    currency = backend.parts.runtime.catalog.currency.lower()
    made = await stripe.post("/v1/invoices", customer=customer, currency=currency, auto_advance="false")
    await stripe.post("/v1/invoiceitems", customer=customer, invoice=made["id"], amount="1250", currency=currency)
    await stripe.post(f"/v1/invoices/{made['id']}/finalize")

    async def listed() -> list[dict[str, Any]]:
        return [each for each in await backend.invoices(person) if each["status"] == "OPEN"]

    [invoice] = await eventually(listed)
    return invoice["id"]
