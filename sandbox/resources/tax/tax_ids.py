"""The tax ids of customers."""

from __future__ import annotations

import re

from sandbox.calls import Call
from sandbox.errors import invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.shared_handlers import answer_page, page_query
from sandbox.store import Transaction

# the prefix of a member state (EL is Greece, XI Northern Ireland), then what its numbers are made of
_EU_VAT = re.compile(
    "(AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI)[0-9A-Z+*]{2,12}"
)

# by their prefixes; elsewhere a prefix is the country
_COUNTRIES = {"EL": "GR", "XI": "GB"}
MAX_TAX_IDS = 5

# how long the tax office takes to look at a number of Stripe's test mode; what becomes of all others, the controls decide
VERIFICATION_SECONDS = 60

_TEST_NUMBERS = {"000000000": "verified", "111111111": "unverified"}
_STATUSES = ("verified", "unverified", "unavailable", "pending")


async def create(call: Call) -> Json:
    """POST /v1/customers/{id}/tax_ids."""
    return await create_tax_id(call.tx, await call.tx.get("customer", call.id), call.params)


async def retrieve(call: Call) -> Json:
    """GET /v1/customers/{id}/tax_ids/{tax_id}."""
    return await _tax_id_in_path(call)


async def list_tax_ids(call: Call) -> Json:
    """GET /v1/customers/{id}/tax_ids."""
    await call.tx.get("customer", call.id)
    query = page_query(call, "tax_id")
    query.match = {"customer": call.id}
    return await answer_page(call, query)


async def delete(call: Call) -> Json:
    """DELETE /v1/customers/{id}/tax_ids/{tax_id}."""
    tax_id = await _tax_id_in_path(call)
    await emit(call.tx, "customer.tax_id.deleted", tax_id)
    return await call.tx.delete(tax_id)


async def verify_tax_id(tx: Transaction, tax_id: Json, given: Json | None = None) -> Json:
    """Act as the tax office that says whether a tax id is valid, as `given` says or as its number asks for.

    `given` holds a `status` and, if known, the `verified_name` and the `verified_address` of who it belongs to. Raises StripeError
    for any other status or field.
    """
    given = given or {"status": _outcome_of_number(tax_id["value"])}
    if given.get("status") not in _STATUSES or given.keys() - {"status", "verified_name", "verified_address"}:
        raise invalid_request(
            f"Give a status of {', '.join(_STATUSES)}, and verified_name and verified_address if any."
        )
    before = snapshot(tax_id)
    tax_id["verification"] = {"verified_address": None, "verified_name": None} | given
    tax_id["_verified_at"] = None
    await tx.save(tax_id)
    if changed := previous_attributes(before, tax_id):
        await emit(tx, "customer.tax_id.updated", tax_id, changed)
    return tax_id


def _outcome_of_number(value: str) -> str | None:
    """Return the status that a number of Stripe's test mode ends up with; None for any other number."""
    return next((status for number, status in _TEST_NUMBERS.items() if value.endswith(number)), None)


async def create_tax_id(tx: Transaction, customer: Json, params: Json) -> Json:
    """Store a new tax id of a customer; it is verified later."""
    value = params["value"]
    if params["type"] == "eu_vat" and _EU_VAT.fullmatch(value.replace(" ", "").upper()) is None:
        raise invalid_request("Invalid value for eu_vat.", code="tax_id_invalid", param="value")
    if not value.replace("-", "").replace(".", "").replace(" ", "").isalnum():
        raise invalid_request(f"Invalid value for {params['type']}.", code="tax_id_invalid", param="value")
    if len(await tx.find_all("tax_id", {"customer": customer["id"]})) >= MAX_TAX_IDS:
        raise invalid_request(f"A customer can have at most {MAX_TAX_IDS} tax IDs.", param="type")
    tax_id: Json = {
        "id": new_id("txi"),
        "object": "tax_id",
        "country": _country(params["type"], value),
        "created": tx.now,
        "customer": customer["id"],
        "customer_account": None,
        "livemode": False,
        "owner": {"type": "customer", "customer": customer["id"], "customer_account": None},
        "type": params["type"],
        "value": value,
        "verification": {"status": "pending", "verified_address": None, "verified_name": None},
        "_verified_at": tx.now + VERIFICATION_SECONDS if _outcome_of_number(value) else None,
    }
    await tx.insert(tax_id)
    await emit(tx, "customer.tax_id.created", tax_id)
    return tax_id


def _country(kind: str, value: str) -> str | None:
    prefix = value[:2].upper()
    return _COUNTRIES.get(prefix, prefix) if kind in ("eu_vat", "gb_vat") else None


async def _tax_id_in_path(call: Call) -> Json:
    tax_id = await call.tx.get("tax_id", call.ids["tax_id"])
    if tax_id["customer"] != call.id:
        raise invalid_request(f"No such tax_id: '{tax_id['id']}'", code="resource_missing", param="id")
    return tax_id
