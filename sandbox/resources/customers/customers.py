"""Customers and their tax ids."""

from __future__ import annotations

from typing import Any

from sandbox.calls import Call, answer_page, paged
from sandbox.errors import Json, invalid
from sandbox.events import emit
from sandbox.ids import new_id, random_text
from sandbox.metadata import merged
from sandbox.store import Transaction

_PLAIN = (
    "email",
    "name",
    "phone",
    "description",
    "tax_exempt",
    "preferred_locales",
    "business_name",
    "individual_name",
)
_ADDRESS_LINES = ("city", "country", "line1", "line2", "postal_code", "state")


async def create(call: Call) -> Json:
    """POST /v1/customers."""
    params = call.params
    customer: Json = {
        "id": new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": params.get("balance", 0),
        "business_name": None,
        "created": call.tx.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_prefix": random_text(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    _apply(customer, params)
    await call.tx.insert(customer)
    if "payment_method" in params:
        # imported here because payment methods need customers
        from sandbox.resources.payment_methods.payment_methods import attach_to

        await attach_to(call.tx, params["payment_method"], customer)
    await _set_default_payment_method(call.tx, customer, params)
    await call.tx.save(customer)
    await emit(call.tx, "customer.created", customer)
    for tax_id in params.get("tax_id_data", []):
        await _add_tax_id(call.tx, customer, tax_id)
    return customer


async def update(call: Call) -> Json:
    """POST /v1/customers/{id}."""
    customer = await call.tx.get("customer", call.id)
    before = dict(customer)
    if "balance" in call.params:
        customer["balance"] = call.params["balance"]
    _apply(customer, call.params)
    await _set_default_payment_method(call.tx, customer, call.params)
    await call.tx.save(customer)
    await emit(call.tx, "customer.updated", customer, changes(before, customer))
    return customer


async def delete(call: Call) -> Json:
    """DELETE /v1/customers/{id}: its payment methods are detached, its open Checkout sessions remain."""
    customer = await call.tx.get("customer", call.id)
    for method in await call.tx.every("payment_method", {"customer": customer["id"]}):
        method["customer"] = None
        await call.tx.save(method)
    await emit(call.tx, "customer.deleted", customer)
    return await call.tx.delete(customer)


async def list_customers(call: Call) -> Json:
    """GET /v1/customers, by exact e-mail address if given."""
    query = paged(call, "customer")
    query.match = {"email": call.params["email"]} if "email" in call.params else {}
    return await answer_page(call, query)


def changes(before: Json, after: Json) -> Json:
    """Return the former values of what changed, as `previous_attributes` of an event."""
    return {name: value for name, value in before.items() if after.get(name) != value}


def full_address(given: Any) -> Json | None:
    """Return an address with all its lines, or None where it was unset."""
    return {line: given.get(line) or None for line in _ADDRESS_LINES} if given else None


def _apply(customer: Json, params: Json) -> None:
    for name in _PLAIN:
        if name in params:
            unset = "none" if name == "tax_exempt" else None
            customer[name] = unset if params[name] == "" else params[name]
    if "address" in params:
        customer["address"] = full_address(params["address"])
    customer["metadata"] = merged(customer["metadata"], params.get("metadata"))


async def _set_default_payment_method(tx: Transaction, customer: Json, params: Json) -> None:
    settings = params.get("invoice_settings", {})
    if "default_payment_method" not in settings:
        return
    chosen = settings["default_payment_method"]
    if chosen:
        param = "invoice_settings[default_payment_method]"
        method = await tx.get("payment_method", chosen, param)
        if method["customer"] != customer["id"]:
            raise invalid(
                "The customer does not have a payment method with the ID "
                f"{chosen}. The payment method must be attached to the customer.",
                code="resource_missing",
                param=param,
            )
    customer["invoice_settings"]["default_payment_method"] = chosen or None


async def create_tax_id(call: Call) -> Json:
    """POST /v1/customers/{id}/tax_ids."""
    return await _add_tax_id(call.tx, await call.tx.get("customer", call.id), call.params)


async def _add_tax_id(tx: Transaction, customer: Json, params: Json) -> Json:
    value = params["value"]
    if not value.replace("-", "").replace(".", "").replace(" ", "").isalnum():
        raise invalid(f"Invalid value for {params['type']}.", code="tax_id_invalid", param="value")
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


async def retrieve_tax_id(call: Call) -> Json:
    """GET /v1/customers/{id}/tax_ids/{tax_id}."""
    return await _tax_id_of(call)


async def list_tax_ids(call: Call) -> Json:
    """GET /v1/customers/{id}/tax_ids."""
    await call.tx.get("customer", call.id)
    query = paged(call, "tax_id")
    query.match = {"customer": call.id}
    return await answer_page(call, query)


async def delete_tax_id(call: Call) -> Json:
    """DELETE /v1/customers/{id}/tax_ids/{tax_id}."""
    tax_id = await _tax_id_of(call)
    await emit(call.tx, "customer.tax_id.deleted", tax_id)
    return await call.tx.delete(tax_id)


async def _tax_id_of(call: Call) -> Json:
    tax_id = await call.tx.get("tax_id", call.ids["tax_id"])
    if tax_id["customer"] != call.id:
        raise invalid(f"No such tax_id: '{tax_id['id']}'", code="resource_missing", param="id")
    return tax_id
