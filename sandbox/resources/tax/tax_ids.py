"""The tax ids of customers."""

from __future__ import annotations

import re

from sandbox.calls import Call
from sandbox.errors import invalid_request
from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.shared_handlers import answer_page, page_query
from sandbox.store import Transaction

# the prefix of a member state (EL is Greece, XI Northern Ireland), then what its numbers are made of
_EU_VAT = re.compile(
    "(AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI)[0-9A-Z+*]{2,12}"
)


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


async def create_tax_id(tx: Transaction, customer: Json, params: Json) -> Json:
    """Store a new tax id of a customer."""
    value = params["value"]
    if params["type"] == "eu_vat" and _EU_VAT.fullmatch(value.replace(" ", "").upper()) is None:
        raise invalid_request("Invalid value for eu_vat.", code="tax_id_invalid", param="value")
    if not value.replace("-", "").replace(".", "").replace(" ", "").isalnum():
        raise invalid_request(f"Invalid value for {params['type']}.", code="tax_id_invalid", param="value")
    tax_id: Json = {
        "id": new_id("txi"),
        "object": "tax_id",
        "country": value[:2].upper() if params["type"] in ("eu_vat", "gb_vat") else None,
        "created": tx.now,
        "customer": customer["id"],
        "customer_account": None,
        "livemode": False,
        "owner": {"type": "customer", "customer": customer["id"], "customer_account": None},
        "type": params["type"],
        "value": value,
        "verification": {"status": "pending", "verified_address": None, "verified_name": None},
    }
    await tx.insert(tax_id)
    await emit(tx, "customer.tax_id.created", tax_id)
    return tax_id


async def _tax_id_in_path(call: Call) -> Json:
    tax_id = await call.tx.get("tax_id", call.ids["tax_id"])
    if tax_id["customer"] != call.id:
        raise invalid_request(f"No such tax_id: '{tax_id['id']}'", code="resource_missing", param="id")
    return tax_id
