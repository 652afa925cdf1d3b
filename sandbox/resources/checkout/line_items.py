"""The line items of a Checkout session."""

from __future__ import annotations

from decimal import Decimal

from sandbox.currencies import check_amount
from sandbox.errors import invalid_request
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.resources.products.prices import create_inline_price, get_price_to_sell
from sandbox.resources.tax.tax_amounts import amount_to_pay, line_taxes, round_amount
from sandbox.resources.tax.tax_rates import check_tax_rates
from sandbox.store import Transaction


async def new_line_item(tx: Transaction, params: Json, customer: Json, param: str) -> Json:
    """Return a line item with its taxes, which is stored with its session; `price_data` creates a price.

    Raises StripeError for what can't be sold; `param` is the name of the parameter, such as `line_items[0]`.
    """
    if ("price" in params) == ("price_data" in params):
        raise invalid_request("You must specify exactly one of price and price_data.", param="line_items")
    if "price" in params:
        price = await get_price_to_sell(tx, params["price"], f"{param}[price]")
    else:
        price = await create_inline_price(tx, params["price_data"], f"{param}[price_data]")
    if price["type"] == "recurring":
        raise invalid_request("You specified `payment` mode but passed a recurring price.", param="line_items")
    await check_tax_rates(tx, params.get("tax_rates", []), f"{param}[tax_rates]")
    rates = [await tx.get("tax_rate", rate) for rate in params.get("tax_rates", [])]
    product = await tx.get("product", price["product"])
    quantity = params.get("quantity", 1)
    if quantity < 1:
        raise invalid_request(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{param}[quantity]",
        )
    amount = round_amount(Decimal(price["unit_amount_decimal"]) * quantity)
    check_amount(amount, price["currency"], f"{param}[quantity]")
    taxes = line_taxes(amount, rates, customer["tax_exempt"])
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": sum(tax["amount"] for tax in taxes),
        "amount_total": amount_to_pay(amount, taxes),
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
