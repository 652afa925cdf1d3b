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

# of an adjustable quantity, unless another is asked for; and the largest that can be
_MAXIMUM_QUANTITY = 99
_LARGEST_MAXIMUM = 999_999


async def new_line_item(tx: Transaction, params: Json, customer: Json, param: str, defaults: Json) -> Json:
    """Return a line item with its taxes, which is stored with its session; `price_data` creates a price.

    `defaults` are the session's `mode`, and the tax rates (`rates`) of recurring prices without their own. Raises StripeError for
    what can't be sold; `param` is the name of the parameter, such as `line_items[0]`.
    """
    if ("price" in params) == ("price_data" in params):
        raise invalid_request("You must specify exactly one of price and price_data.", param="line_items")
    if "price" in params:
        price = await get_price_to_sell(tx, params["price"], f"{param}[price]")
    else:
        price = await create_inline_price(tx, params["price_data"], f"{param}[price_data]")
    recurring = price["type"] == "recurring"
    if recurring and defaults["mode"] == "payment":
        raise invalid_request("You specified `payment` mode but passed a recurring price.", param="line_items")
    rate_ids: list[str] = params.get("tax_rates") or (defaults["rates"] if recurring else [])
    await check_tax_rates(tx, rate_ids, f"{param}[tax_rates]")
    rates = [await tx.get("tax_rate", rate) for rate in rate_ids]
    product = await tx.get("product", price["product"])
    quantity = params.get("quantity", 1)
    if quantity < 1:
        raise invalid_request(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{param}[quantity]",
        )
    line: Json = {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": _adjustable(params, quantity, f"{param}[adjustable_quantity]"),
        "amount_discount": 0,
        "currency": price["currency"],
        "description": product["name"],
        "discounts": [],
        "metadata": {},
        "price": price,
        "_own_rates": bool(params.get("tax_rates")),
    }
    set_quantity(line, quantity, rates, customer, f"{param}[quantity]")
    return line


def set_quantity(line: Json, quantity: int, rates: list[Json], customer: Json, param: str) -> None:
    """Set the quantity of a line item, and the amounts that follow from it. Raises StripeError for more than can be charged."""
    price = line["price"]
    amount = round_amount(Decimal(price["unit_amount_decimal"]) * quantity)
    check_amount(amount, price["currency"], param)
    taxes = line_taxes(amount, rates, customer["tax_exempt"])
    line |= {
        "amount_subtotal": amount,
        "amount_tax": sum(tax["amount"] for tax in taxes),
        "amount_total": amount_to_pay(amount, taxes),
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


def _adjustable(params: Json, quantity: int, param: str) -> Json | None:
    """Return how the page lets the quantity be changed. Raises StripeError for bounds that the quantity is not within."""
    given: Json = params.get("adjustable_quantity", {})
    if not given.get("enabled"):
        return None
    minimum, maximum = given.get("minimum", 0), given.get("maximum", _MAXIMUM_QUANTITY)
    if not 0 <= minimum <= quantity <= maximum <= _LARGEST_MAXIMUM:
        raise invalid_request("The quantity must be between the minimum and the maximum.", param=param)
    return {"enabled": True, "minimum": minimum, "maximum": maximum}
