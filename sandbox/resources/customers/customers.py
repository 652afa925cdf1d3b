"""Customers: created, changed, deleted, listed."""

from __future__ import annotations

from sandbox.addresses import full_address
from sandbox.calls import Call
from sandbox.currencies import MAXIMUM_AMOUNT
from sandbox.emails import check_email
from sandbox.errors import invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import new_id, random_text
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.payment_methods.attachment import (
    attach_to_customer,
    detach_from_customer,
    not_attached_error,
)
from sandbox.resources.tax.tax_ids import create_tax_id
from sandbox.shared_handlers import answer_page, page_query
from sandbox.store import Transaction

_UPDATABLE = (
    "email",
    "name",
    "phone",
    "description",
    "tax_exempt",
    "preferred_locales",
    "business_name",
    "individual_name",
)
_INVOICE_PREFIX_LENGTH = 8
MAX_NAME_LENGTH = 256


async def create(call: Call) -> Json:
    """POST /v1/customers."""
    params = call.params
    customer: Json = {
        "id": new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
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
        "invoice_prefix": random_text(_INVOICE_PREFIX_LENGTH).upper(),
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
    _set_fields(customer, params)
    await call.tx.insert(customer)
    if "payment_method" in params:
        await attach_to_customer(call.tx, params["payment_method"], customer)
    await _set_default_payment_method(call.tx, customer, params)
    await call.tx.save(customer)
    await emit(call.tx, "customer.created", customer)
    for tax_id in params.get("tax_id_data", []):
        await create_tax_id(call.tx, customer, tax_id)
    return customer


async def update(call: Call) -> Json:
    """POST /v1/customers/{id}."""
    customer = await call.tx.get("customer", call.id)
    before = snapshot(customer)
    _set_fields(customer, call.params)
    await _set_default_payment_method(call.tx, customer, call.params)
    await call.tx.save(customer)
    await emit(call.tx, "customer.updated", customer, previous_attributes(before, customer))
    await call.tx.update_dependents(customer)
    return customer


async def delete(call: Call) -> Json:
    """DELETE /v1/customers/{id}: its payment methods are detached, its Checkout sessions expire, its invoices remain."""
    customer = await call.tx.get("customer", call.id)
    for method in await call.tx.find_all("payment_method", {"customer": customer["id"]}):
        await detach_from_customer(call.tx, method)
    deleted = await call.tx.delete(customer)
    await emit(call.tx, "customer.deleted", customer)
    await call.tx.update_dependents(deleted)
    return deleted


async def list_customers(call: Call) -> Json:
    """GET /v1/customers, by exact e-mail address if given."""
    query = page_query(call, "customer")
    query.match = {"email": call.params["email"]} if "email" in call.params else {}
    return await answer_page(call, query)


def _set_fields(customer: Json, params: Json) -> None:
    check_email(params.get("email"), "email")
    if len(params.get("name", "")) > MAX_NAME_LENGTH:
        raise invalid_request(f"Invalid string: must be at most {MAX_NAME_LENGTH} characters: name", param="name")
    if "balance" in params:
        if abs(params["balance"]) > MAXIMUM_AMOUNT:
            raise invalid_request(
                f"Invalid integer: must be between -{MAXIMUM_AMOUNT} and {MAXIMUM_AMOUNT}",
                code="parameter_invalid_integer",
                param="balance",
            )
        customer["balance"] = params["balance"]
    for name in _UPDATABLE:
        if name in params:
            unset = "none" if name == "tax_exempt" else None
            customer[name] = unset if params[name] == "" else params[name]
    if "address" in params:
        customer["address"] = full_address(params["address"])
    customer["metadata"] = merge_metadata(customer["metadata"], params.get("metadata"))


async def _set_default_payment_method(tx: Transaction, customer: Json, params: Json) -> None:
    settings = params.get("invoice_settings", {})
    if "default_payment_method" not in settings:
        return
    chosen = settings["default_payment_method"]
    if chosen:
        param = "invoice_settings[default_payment_method]"
        method = await tx.get("payment_method", chosen, param)
        if method["customer"] != customer["id"]:
            raise not_attached_error(chosen, param)
    customer["invoice_settings"]["default_payment_method"] = chosen or None
