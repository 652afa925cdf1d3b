"""The invoice item object."""

from __future__ import annotations

from decimal import Decimal

from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.tax.tax_amounts import round_amount
from sandbox.store import Transaction


async def create_item(
    tx: Transaction, params: Json, customer_id: str, priced: Json, invoice: Json | None, fields: Json | None = None
) -> Json:
    """Store a new item on a draft, or a pending one without `invoice`; `priced` are its fields about the price.

    `fields` sets any other of its fields.
    """
    item: Json = priced | {
        "id": new_id("ii"),
        "object": "invoiceitem",
        "customer": customer_id,
        "customer_account": None,
        "date": tx.now,
        "description": params.get("description"),
        "discountable": params.get("discountable", priced["amount"] >= 0),
        "discounts": [discount["id"] for discount in params.get("_discounts", [])],
        "invoice": invoice["id"] if invoice else None,
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata")),
        "net_amount": priced["amount"],
        "parent": None,
        "period": params.get("period", {"start": tx.now, "end": tx.now}),
        "proration": False,
        "proration_details": None,
        "tax_rates": params.get("tax_rates", []),
        "test_clock": None,
    }
    item |= {"_discounts": params.get("_discounts", [])} | (fields or {})
    if item["description"] is None and item["_product"] is not None:
        item["description"] = (await tx.get("product", item["_product"]))["name"]
    await tx.insert(item)
    await emit(tx, "invoiceitem.created", item)
    return item


async def create_item_from_price(tx: Transaction, invoice: Json, price: Json, quantity: int, rates: list[str]) -> Json:
    """Store a new item for a price on a draft, which must be computed afterwards."""
    return await create_item(tx, {"tax_rates": rates}, invoice["customer"], price_fields(price, quantity), invoice)


def price_fields(price: Json, quantity: int) -> Json:
    """Return the fields about the price for an item of so many units of a price."""
    unit_amount = Decimal(price["unit_amount_decimal"])
    return _price_fields(round_amount(unit_amount * quantity), price["currency"], quantity, unit_amount, price)


def amount_fields(amount: int, currency: str) -> Json:
    """Return the fields about the price for an item of a given amount."""
    return _price_fields(amount, currency, 1, Decimal(amount), None)


def _price_fields(amount: int, currency: str, quantity: int, unit_amount: Decimal, price: Json | None) -> Json:
    details = {"price": price["id"], "product": price["product"]} if price else None
    return {
        "amount": amount,
        "currency": currency,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "pricing": {
            "type": "price_details",
            "price_details": details,
            "unit_amount_decimal": format(unit_amount, "f"),
        },
        "_product": price["product"] if price else None,
    }
