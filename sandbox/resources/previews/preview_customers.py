"""Whom a preview is for: a customer, with other details than its own if they are given, or one who does not exist yet."""

from __future__ import annotations

from sandbox.addresses import full_address
from sandbox.calls import Call
from sandbox.objects import Json
from sandbox.resources.customers import customers
from sandbox.resources.tax.tax_ids import create_tax_id
from sandbox.store import Transaction


async def customer_to_preview(tx: Transaction, params: Json) -> Json | None:
    """Return the customer of a preview, stored with the details of `customer_details`; the caller takes all of it back.

    None if the parameters name no customer, because the subscription does.
    """
    details: Json = params.get("customer_details", {})
    if "customer" in params:
        customer = await tx.get("customer", params["customer"], "customer")
    elif "subscription" in params:
        subscription = await tx.get("subscription", params["subscription"], "subscription")
        customer = await tx.get("customer", subscription["customer"])
    elif details:
        customer = await customers.create(Call(tx, {}, {}, "/v1/customers"))
    else:
        return None
    if "address" in details:
        customer["address"] = full_address(details["address"], "customer_details[address]")
    if "tax_exempt" in details:
        customer["tax_exempt"] = details["tax_exempt"] or "none"
    await tx.save(customer)
    if "tax_ids" in details:
        for tax_id in await tx.find_all("tax_id", {"customer": customer["id"]}):
            await tx.delete(tax_id)
        for tax_id in details["tax_ids"]:
            await create_tax_id(tx, customer, tax_id)
    return customer
