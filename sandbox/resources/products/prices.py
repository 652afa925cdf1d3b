"""Prices: how much a product costs."""

from __future__ import annotations

from decimal import Decimal

from sandbox.calls import Call
from sandbox.currencies import MAXIMUM_AMOUNT, amount_too_large, check_amount, checked_currency
from sandbox.errors import invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.products.products import create_product, refuse_inactive_product
from sandbox.shared_handlers import answer_page, page_query
from sandbox.store import Transaction

MAX_LOOKUP_KEYS = 10
MAX_DECIMAL_PLACES = 12


async def create(call: Call) -> Json:
    """POST /v1/prices, for a product or with `product_data`."""
    params = call.params
    if ("product" in params) == ("product_data" in params):
        raise invalid_request("You must specify exactly one of product and product_data.", param="product")
    if "product" in params:
        product = await call.tx.get("product", params["product"], "product")
    else:
        product = await create_product(call.tx, params["product_data"])
    price = await _create_price(call.tx, params, product["id"])
    if (key := params.get("lookup_key")) is not None:
        await _assign_lookup_key(call.tx, key, price, transfer=params.get("transfer_lookup_key", False))
    await emit(call.tx, "price.created", price)
    return price


async def update(call: Call) -> Json:
    """POST /v1/prices/{id}; amount and interval can't be changed."""
    price = await call.tx.get("price", call.id)
    before = snapshot(price)
    for name in ("active", "nickname", "tax_behavior"):
        if name in call.params:
            price[name] = call.params[name]
    price["metadata"] = merge_metadata(price["metadata"], call.params.get("metadata"))
    if "lookup_key" in call.params:
        transfer = call.params.get("transfer_lookup_key", False)
        await _assign_lookup_key(call.tx, call.params["lookup_key"], price, transfer=transfer)
    await call.tx.save(price)
    await emit(call.tx, "price.updated", price, previous_attributes(before, price))
    return price


async def list_prices(call: Call) -> Json:
    """GET /v1/prices, by `active`, `currency`, `product`, `type` and `lookup_keys`."""
    query = page_query(call, "price")
    query.match = {name: call.params[name] for name in ("active", "currency", "product", "type") if name in call.params}
    if "lookup_keys" in call.params:
        if len(call.params["lookup_keys"]) > MAX_LOOKUP_KEYS:
            raise invalid_request(f"You may only specify up to {MAX_LOOKUP_KEYS} lookup keys.", param="lookup_keys")
        query.one_of["lookup_key"] = call.params["lookup_keys"]
    return await answer_page(call, query)


async def get_price_to_sell(tx: Transaction, price_id: str, param: str) -> Json:
    """Return a price that the parameter `param` names. Raises StripeError for one that is archived, or whose product is."""
    price = await tx.get("price", price_id, param)
    if not price["active"]:
        raise invalid_request("The price specified is inactive. This field only accepts active prices.", param=param)
    refuse_inactive_product(await tx.get("product", price["product"], param), param)
    return price


async def create_inline_price(tx: Transaction, data: Json, param: str = "price_data") -> Json:
    """Store the price that the parameter `param` describes; like Stripe's, it is not active."""
    if ("product" in data) == ("product_data" in data):
        raise invalid_request("You must specify exactly one of product and product_data.", param=f"{param}[product]")
    if "product" in data:
        product = await tx.get("product", data["product"], f"{param}[product]")
        refuse_inactive_product(product, f"{param}[product]")
    else:
        product = await create_product(tx, data["product_data"])
    return await _create_price(tx, data | {"active": False}, product["id"], f"{param}[{{}}]")


async def _create_price(tx: Transaction, params: Json, product_id: str, param: str = "{}") -> Json:
    """Store a new price; errors name a parameter `x` as `param` says, such as `price_data[x]`."""
    if ("unit_amount" in params) == ("unit_amount_decimal" in params):
        raise invalid_request(
            "You must specify exactly one of unit_amount and unit_amount_decimal.", param=param.format("unit_amount")
        )
    currency = checked_currency(params["currency"], param.format("currency"))
    unit = _checked_unit_amount(params, currency, param)
    whole = unit == unit.to_integral_value()
    recurring = params.get("recurring")
    price: Json = {
        "id": new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "created": tx.now,
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": merge_metadata({}, params.get("metadata")),
        "nickname": params.get("nickname"),
        "product": product_id,
        "recurring": _recurring(recurring) if recurring else None,
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": int(unit) if whole else None,
        "unit_amount_decimal": format(unit, "f"),
    }
    return await tx.insert(price)


def _checked_unit_amount(params: Json, currency: str, param: str) -> Decimal:
    """Return the amount of one unit. Raises StripeError for one that is negative, too large or too finely divided."""
    name = "unit_amount_decimal" if "unit_amount_decimal" in params else "unit_amount"
    unit = Decimal(params[name])
    if unit < 0:
        raise invalid_request(
            "Invalid non-negative integer", code="parameter_invalid_integer", param=param.format(name)
        )
    exponent = unit.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MAX_DECIMAL_PLACES:
        raise invalid_request(
            f"Invalid decimal: {unit}; must contain at maximum {MAX_DECIMAL_PLACES} decimal places",
            param=param.format(name),
        )
    # before it is an integer: a decimal may have so many digits that there is no room for them
    if unit > MAXIMUM_AMOUNT:
        raise amount_too_large(currency, param.format(name))
    check_amount(int(unit), currency, param.format(name))
    return unit


def _recurring(given: Json) -> Json:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": None,
        "trial_period_days": None,
        "usage_type": given.get("usage_type", "licensed"),
    }


async def _assign_lookup_key(tx: Transaction, key: str, price: Json, *, transfer: bool) -> None:
    """Give a lookup key to a price. If another price has it, `transfer` takes it from there; otherwise that is an error."""
    for other in await tx.find_all("price", {"lookup_key": key}):
        if other["id"] == price["id"]:
            continue
        if not transfer:
            raise invalid_request(
                f"A price (`{other['id']}`) already uses that lookup key.",
                param="lookup_key",
                code="resource_already_exists",
            )
        other["lookup_key"] = None
        await tx.save(other)
        await emit(tx, "price.updated", other, {"lookup_key": key})
    price["lookup_key"] = key
    await tx.save(price)
