"""Payment methods: created, attached to a customer, detached, changed, listed."""

from __future__ import annotations

from sandbox.addresses import full_or_empty_address
from sandbox.calls import Call
from sandbox.emails import check_email
from sandbox.errors import invalid_request, missing_param, resource_missing
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.payment_methods.attachment import attach_to_customer, detach_from_customer
from sandbox.resources.payment_methods.card_details import check_expiry
from sandbox.resources.payment_methods.payment_method_object import card_from_params, create_payment_method
from sandbox.shared_handlers import answer_page, page_query


async def create(call: Call) -> Json:
    """POST /v1/payment_methods: a card by number, or by `card[token]` such as `tok_visa`."""
    card = card_from_params(call.params)
    for name in ("exp_month", "exp_year") if "number" in call.params["card"] else ():
        if name not in call.params["card"]:
            raise missing_param(f"card[{name}]")
    return await create_payment_method(call.tx, card, call.params)


async def update(call: Call) -> Json:
    """POST /v1/payment_methods/{id}: metadata, billing details, and when the card expires."""
    method = await call.tx.get("payment_method", call.id)
    if method["customer"] is None:
        raise invalid_request("You must save this PaymentMethod to a customer before you can update it.")
    before = snapshot(method)
    method["card"] |= call.params.get("card", {})
    if "card" in call.params:
        check_expiry(method["card"], call.tx.now)
    method["metadata"] = merge_metadata(method["metadata"], call.params.get("metadata"))
    billing = call.params.get("billing_details", {})
    check_email(billing.get("email"), "billing_details[email]")
    for name in ("email", "name", "phone"):
        if name in billing:
            method["billing_details"][name] = billing[name] or None
    if "address" in billing:
        method["billing_details"]["address"] = full_or_empty_address(billing["address"], "billing_details[address]")
    await call.tx.save(method)
    await emit(call.tx, "payment_method.updated", method, previous_attributes(before, method))
    return method


async def attach(call: Call) -> Json:
    """POST /v1/payment_methods/{id}/attach. Raises a card error for a card that can't be saved."""
    customer = await call.tx.get("customer", call.params["customer"], "customer")
    return await attach_to_customer(call.tx, call.id, customer)


async def detach(call: Call) -> Json:
    """POST /v1/payment_methods/{id}/detach: it can't be used again, and is no longer the customer's default."""
    method = await call.tx.get("payment_method", call.id)
    if method["customer"] is None:
        raise invalid_request(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            code="payment_method_unexpected_state",
        )
    customer = await call.tx.get("customer", method["customer"])
    await detach_from_customer(call.tx, method)
    if customer["invoice_settings"]["default_payment_method"] == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
        await call.tx.save(customer)
        previous = {"invoice_settings": {"default_payment_method": method["id"]}}
        await emit(call.tx, "customer.updated", customer, previous)
    return method


async def list_methods(call: Call) -> Json:
    """GET /v1/payment_methods and GET /v1/customers/{id}/payment_methods: those attached to a customer."""
    customer_id = call.ids.get("id") or call.params.get("customer")
    if customer_id is None:
        raise invalid_request("The sandbox lists payment methods by customer only.", param="customer")
    await call.tx.get("customer", customer_id, None if "id" in call.ids else "customer")
    query = page_query(call, "payment_method")
    query.match = {"customer": customer_id} | ({"type": call.params["type"]} if "type" in call.params else {})
    return await answer_page(call, query)


async def retrieve_of_customer(call: Call) -> Json:
    """GET /v1/customers/{id}/payment_methods/{payment_method}."""
    method = await call.tx.get("payment_method", call.ids["payment_method"])
    if method["customer"] != call.id:
        raise resource_missing("PaymentMethod", method["id"])
    return method
