"""The line items of a Checkout session."""

from __future__ import annotations

from decimal import Decimal

from sandbox.errors import invalid_request
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.resources.products.prices import create_inline_price
from sandbox.resources.tax.tax_amounts import line_taxes, round_amount, sum_of
from sandbox.store import Transaction


async def new_line_item(tx: Transaction, params: Json, customer: Json) -> Json:
    """Return a line item with its taxes, which is stored with its session; `price_data` creates a price."""
    if ("price" in params) == ("price_data" in params):
        raise invalid_request("You must specify exactly one of price and price_data.", param="line_items")
    if "price" in params:
        price = await tx.get("price", params["price"], "line_items[price]")
    else:
        price = await create_inline_price(tx, params["price_data"])
    if price["type"] == "recurring":
        raise invalid_request("You specified `payment` mode but passed a recurring price.", param="line_items")
    rates = [await tx.get("tax_rate", rate, "line_items[tax_rates]") for rate in params.get("tax_rates", [])]
    product = await tx.get("product", price["product"])
    quantity = params.get("quantity", 1)
    amount = round_amount(Decimal(price["unit_amount_decimal"]) * quantity)
    taxes = line_taxes(amount, rates, customer["tax_exempt"])
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": sum(tax["amount"] for tax in taxes),
        "amount_total": amount + sum_of(taxes, "exclusive"),
        "currency": price["currency"],
        "description": product["name"],
        "discounts": [],
        "metadata": {},
        "price": price,
        "quantity": quantity,
        "taxes": [
            {
                "amount": tax["amount"],
                "rate": rate,
                "taxability_reason": tax["taxability_reason"],
                "taxable_amount": tax["taxable_amount"],
            }
            for tax, rate in zip(taxes, rates, strict=True)
        ],
    }
