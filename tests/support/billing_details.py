"""Billing details as an owner gives them, and as a customer changes them in the provider's portal."""

from __future__ import annotations

from typing import Any

from tests.support.client import eventually
from tests.support.operations import ERRORS
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import customer_of

_DETAILS = """billingDetails { name email address { line1 line2 city state postalCode country }
  taxIds { type value status } }"""

DETAILS = f"query ($id: ID!) {{ workspace(id: $id) {{ {_DETAILS} }} }}"
UPDATE = f"""mutation ($input: UpdateBillingDetailsInput!) {{
  updateBillingDetails(input: $input) {{ workspace {{ {_DETAILS} }} {ERRORS} }} }}"""
PORTAL = f"mutation ($input: CreateBillingPortalInput!) {{ createBillingPortal(input: $input) {{ url {ERRORS} }} }}"

BRUSSELS = {"line1": "Grote Markt 1", "city": "Brussel", "postalCode": "1000", "country": "BE"}
AMSTERDAM = {"line1": "Damrak 1", "city": "Amsterdam", "postalCode": "1012 LG", "country": "NL"}
BELGIAN = {"type": "eu_vat", "value": "BE0123456789"}


async def details(backend: RunningBackend, person: Person) -> dict[str, Any]:
    """The billing details as they stand."""
    data = await backend.api.query(DETAILS, {"id": person.workspace}, token=person.token)
    return data["workspace"]["billingDetails"]


async def update(backend: RunningBackend, person: Person, **change: object) -> dict[str, Any]:
    """The payload of `updateBillingDetails`."""
    given = {"input": {"workspaceId": person.workspace, **change}}
    return (await backend.api.query(UPDATE, given, token=person.token))["updateBillingDetails"]


async def updated(backend: RunningBackend, person: Person, **change: object) -> dict[str, Any]:
    """The billing details after a change, which must succeed."""
    payload = await update(backend, person, **change)
    assert payload["userErrors"] == []
    return payload["workspace"]["billingDetails"]


async def open_portal(backend: RunningBackend, person: Person, **more: object) -> dict[str, Any]:
    """The payload of `createBillingPortal`."""
    given = {"input": {"workspaceId": person.workspace, **more}}
    return (await backend.api.query(PORTAL, given, token=person.token))["createBillingPortal"]


async def portal_url(backend: RunningBackend, person: Person) -> str:
    """The address of a portal page, which must open."""
    opened = await open_portal(backend, person)
    assert opened["userErrors"] == []
    return opened["url"]


async def act_in_portal(backend: RunningBackend, url: str, action: str, **fields: str) -> int:
    """Do something on a portal page as a customer does; the status of the answer, 303 where it was done."""
    answer = await backend.api.http.post(url, data={"action": action, **fields}, follow_redirects=False)
    return answer.status_code


async def stripe_tax_ids(backend: RunningBackend, person: Person) -> list[dict[str, Any]]:
    """What Stripe has of the person's tax ids, the newest first."""
    return await backend.sandbox.listed(f"/v1/customers/{await customer_of(backend, person)}/tax_ids")


async def stripe_customer(backend: RunningBackend, person: Person) -> dict[str, Any]:
    """The person's customer at Stripe."""
    return await backend.sandbox.fetched(f"/v1/customers/{await customer_of(backend, person)}")


async def exemption_becomes(backend: RunningBackend, person: Person, exemption: str) -> None:
    """Wait until Stripe has this exemption."""

    async def is_so() -> bool:
        return (await stripe_customer(backend, person))["tax_exempt"] == exemption

    await eventually(is_so)


async def tax_office_says(backend: RunningBackend, person: Person, status: str) -> None:
    """Let the tax office say what the person's newest tax id is, and wait until that is shown."""
    [newest, *_] = await stripe_tax_ids(backend, person)
    await backend.sandbox.verify_tax_id(newest["id"], status)

    async def is_shown() -> bool:
        return (await details(backend, person))["taxIds"][-1]["status"] == status.upper()

    await eventually(is_shown)


async def reverse_charged(backend: RunningBackend) -> Person:
    """Somebody in Brussels with a verified Belgian VAT id, who accounts for the tax."""
    person = await backend.sign_up()
    await updated(backend, person, address=BRUSSELS, taxIds=[BELGIAN])
    await tax_office_says(backend, person, "verified")
    await exemption_becomes(backend, person, "reverse")
    return person


def amounts(invoice: dict[str, Any]) -> tuple[str, str, str]:
    """Subtotal, tax and total of an invoice of the API."""
    return invoice["subtotal"]["amount"], invoice["tax"]["amount"], invoice["total"]["amount"]
