"""Products, prices and tax rates: what is sold, for how much, and taxed how."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.calls import Call, answer_page, paged
from sandbox.errors import Json, invalid
from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.metadata import merged
from sandbox.resources.customers.customers import changes
from sandbox.store import Transaction


async def create_product(call: Call) -> Json:
    """POST /v1/products; the caller may choose the identifier."""
    params = call.params
    product_id = params.get("id") or new_id("prod")
    if await call.tx.find("product", product_id) is not None:
        raise invalid(f"Product already exists: {product_id}", code="resource_already_exists", param="id")
    return await make_product(call.tx, params | {"id": product_id})


async def make_product(tx: Transaction, params: Json) -> Json:
    """Store a new product."""
    product: Json = {
        "id": params.get("id") or new_id("prod"),
        "object": "product",
        "active": params.get("active", True),
        "created": tx.now,
        "default_price": None,
        "description": params.get("description"),
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": merged({}, params.get("metadata")),
        "name": params["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": params.get("statement_descriptor"),
        "tax_code": params.get("tax_code"),
        "tax_details": None,
        "type": "service",
        "unit_label": params.get("unit_label"),
        "updated": tx.now,
        "url": None,
    }
    await tx.insert(product)
    await emit(tx, "product.created", product)
    return product


async def update_product(call: Call) -> Json:
    """POST /v1/products/{id}."""
    product = await call.tx.get("product", call.id)
    before = dict(product)
    for name in ("name", "description", "active", "tax_code", "unit_label", "statement_descriptor", "default_price"):
        if name in call.params:
            product[name] = None if call.params[name] == "" else call.params[name]
    product["metadata"] = merged(product["metadata"], call.params.get("metadata"))
    product["updated"] = call.tx.now
    await call.tx.save(product)
    await emit(call.tx, "product.updated", product, changes(before, product))
    return product


async def list_products(call: Call) -> Json:
    """GET /v1/products, by `active` and `ids`."""
    query = paged(call, "product")
    query.match = {"active": call.params["active"]} if "active" in call.params else {}
    if "ids" in call.params:
        query.one_of["id"] = call.params["ids"]
    return await answer_page(call, query)


async def create_price(call: Call) -> Json:
    """POST /v1/prices, for a product or with `product_data`."""
    params = call.params
    if ("product" in params) == ("product_data" in params):
        raise invalid("You must specify exactly one of product and product_data.", param="product")
    if "product" in params:
        product = await call.tx.get("product", params["product"], "product")
    else:
        product = await make_product(call.tx, params["product_data"])
    price = await _make_price(call.tx, params, product["id"])
    if (key := params.get("lookup_key")) is not None:
        await _claim_lookup_key(call.tx, key, price, transfer=params.get("transfer_lookup_key", False))
    await emit(call.tx, "price.created", price)
    return price


async def make_inline_price(tx: Transaction, data: Json) -> Json:
    """Store the price of a `price_data` hash, inactive as Stripe keeps it."""
    if "product" in data:
        product = await tx.get("product", data["product"], "price_data[product]")
    else:
        product = await make_product(tx, data["product_data"])
    return await _make_price(tx, data | {"active": False}, product["id"])


async def _make_price(tx: Transaction, params: Json, product_id: str) -> Json:
    if ("unit_amount" in params) == ("unit_amount_decimal" in params):
        raise invalid("You must specify exactly one of unit_amount and unit_amount_decimal.", param="unit_amount")
    unit = Decimal(params.get("unit_amount_decimal", params.get("unit_amount", 0)))
    whole = unit == unit.to_integral_value()
    recurring = params.get("recurring")
    price: Json = {
        "id": new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "created": tx.now,
        "currency": params["currency"].lower(),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": merged({}, params.get("metadata")),
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


def _recurring(given: Json) -> Json:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": None,
        "trial_period_days": None,
        "usage_type": given.get("usage_type", "licensed"),
    }


async def _claim_lookup_key(tx: Transaction, key: str, price: Json, *, transfer: bool) -> None:
    """Give a lookup key to a price; taken from its holder where `transfer` says so, refused otherwise."""
    for holder in await tx.every("price", {"lookup_key": key}):
        if holder["id"] == price["id"]:
            continue
        if not transfer:
            raise invalid(
                f"A price (`{holder['id']}`) already uses that lookup key.",
                param="lookup_key",
                code="resource_already_exists",
            )
        holder["lookup_key"] = None
        await tx.save(holder)
        await emit(tx, "price.updated", holder, {"lookup_key": key})
    price["lookup_key"] = key
    await tx.save(price)


async def update_price(call: Call) -> Json:
    """POST /v1/prices/{id}; amounts and intervals never change."""
    price = await call.tx.get("price", call.id)
    before = dict(price)
    for name in ("active", "nickname", "tax_behavior"):
        if name in call.params:
            price[name] = call.params[name]
    price["metadata"] = merged(price["metadata"], call.params.get("metadata"))
    if "lookup_key" in call.params:
        transfer = call.params.get("transfer_lookup_key", False)
        await _claim_lookup_key(call.tx, call.params["lookup_key"], price, transfer=transfer)
    await call.tx.save(price)
    await emit(call.tx, "price.updated", price, changes(before, price))
    return price


async def list_prices(call: Call) -> Json:
    """GET /v1/prices, by `active`, `currency`, `product`, `type` and up to ten `lookup_keys`."""
    query = paged(call, "price")
    query.match = {name: call.params[name] for name in ("active", "currency", "product", "type") if name in call.params}
    if "lookup_keys" in call.params:
        if len(call.params["lookup_keys"]) > 10:
            raise invalid("You may only specify up to 10 lookup keys.", param="lookup_keys")
        query.one_of["lookup_key"] = call.params["lookup_keys"]
    return await answer_page(call, query)


async def create_tax_rate(call: Call) -> Json:
    """POST /v1/tax_rates."""
    params = call.params
    percentage: Decimal = params["percentage"]
    if not 0 <= percentage <= 100:
        raise invalid("Invalid decimal: percentage must be between 0 and 100", param="percentage")
    rate: Json = {
        "id": new_id("txr"),
        "object": "tax_rate",
        "active": params.get("active", True),
        "country": params.get("country"),
        "created": call.tx.now,
        "description": params.get("description"),
        "display_name": params["display_name"],
        "effective_percentage": None,
        "flat_amount": None,
        "inclusive": params["inclusive"],
        "jurisdiction": params.get("jurisdiction"),
        "jurisdiction_level": None,
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "percentage": float(percentage),
        "rate_type": "percentage",
        "state": params.get("state"),
        "tax_type": params.get("tax_type"),
        "_percentage": str(percentage),
    }
    await call.tx.insert(rate)
    await emit(call.tx, "tax_rate.created", rate)
    return rate


async def update_tax_rate(call: Call) -> Json:
    """POST /v1/tax_rates/{id}; percentage and inclusiveness never change."""
    rate = await call.tx.get("tax_rate", call.id)
    before: dict[str, Any] = dict(rate)
    for name in ("active", "country", "description", "display_name", "jurisdiction", "state", "tax_type"):
        if name in call.params:
            rate[name] = call.params[name]
    rate["metadata"] = merged(rate["metadata"], call.params.get("metadata"))
    await call.tx.save(rate)
    await emit(call.tx, "tax_rate.updated", rate, changes(before, rate))
    return rate
