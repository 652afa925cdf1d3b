"""The parameter `items`: which prices a subscription has, and how many of each."""

from __future__ import annotations

from typing import Any

from sandbox.currencies import check_amount
from sandbox.errors import invalid_request, missing_param, resource_missing
from sandbox.events import snapshot
from sandbox.metadata import merge_metadata
from sandbox.objects import Json, visible
from sandbox.resources.products.prices import get_price_to_sell
from sandbox.resources.subscriptions.periods import interval_of
from sandbox.resources.subscriptions.prorations import full_amount, nearest
from sandbox.resources.subscriptions.subscription_object import items_of, new_subscription_item, set_price
from sandbox.resources.tax.tax_rates import check_tax_rates
from sandbox.store import Transaction

MAX_ITEMS = 20


async def new_items(tx: Transaction, subscription_id: str, given: list[Json]) -> list[Json]:
    """Return the items of a new subscription. Raises StripeError for prices that can't be sold together."""
    if not given:
        raise missing_param("items")
    items: list[Json] = []
    for place, entry in enumerate(given):
        items.append(await _new_item(tx, subscription_id, entry, f"items[{place}]"))
    check_together(items)
    return items


async def changed_items(tx: Transaction, subscription: Json, given: list[Json]) -> list[Json]:
    """Return copies of the subscription's items with the parameter applied: changed, removed and added ones.

    A changed price without a quantity sets the quantity to 1, as at Stripe. Raises StripeError for an item that is not the
    subscription's and for what can't be sold together.
    """
    items = [snapshot(item) for item in items_of(subscription)]
    for place, entry in enumerate(given):
        param = f"items[{place}]"
        if "id" not in entry:
            items.append(await _new_item(tx, subscription["id"], entry, param))
            continue
        named = [item for item in items if item["id"] == entry["id"]]
        if not named:
            raise resource_missing("subscription_item", entry["id"], f"{param}[id]", 400)
        if entry.get("deleted"):
            items.remove(named[0])
            continue
        await _change_item(tx, named[0], entry, param)
    if not items:
        raise invalid_request("A subscription must have at least one active plan.", param="items")
    check_together(items)
    return items


def check_together(items: list[Json]) -> None:
    """Raise a StripeError unless the items can be billed by one subscription."""
    if len(items) > MAX_ITEMS:
        raise invalid_request(f"A subscription can have up to {MAX_ITEMS} items.", param="items")
    prices = [item["price"]["id"] for item in items]
    if len(set(prices)) != len(prices):
        twice = next(price for price in prices if prices.count(price) > 1)
        raise invalid_request(f"Cannot add multiple subscription items with the same plan: {twice}", param="items")
    if len({item["price"]["currency"] for item in items}) > 1:
        raise invalid_request("All prices on a subscription must have the same currency.", param="items")
    shortest = min((interval_of(item["price"]) for item in items), key=lambda interval: interval.order())
    for item in items:
        if not shortest.divides(interval_of(item["price"])):
            raise invalid_request(
                "Each billing interval of a subscription must be a multiple of the shortest one.", param="items"
            )


async def tax_rates_from_param(tx: Transaction, given: Any, param: str) -> list[Json]:
    """Return the tax rates that a parameter names. Raises StripeError for one that is archived or missing."""
    rate_ids: list[str] = list(given or [])
    await check_tax_rates(tx, rate_ids, param)
    return [visible(await tx.get("tax_rate", rate_id)) for rate_id in rate_ids]


async def _new_item(tx: Transaction, subscription_id: str, entry: Json, param: str) -> Json:
    if "price" not in entry:
        raise missing_param(f"{param}[price]")
    price = await _recurring_price(tx, entry["price"], param)
    item = new_subscription_item(subscription_id, price, _quantity(entry, price, 1, param), tx.now)
    item["metadata"] = merge_metadata({}, entry.get("metadata"))
    item["tax_rates"] = await tax_rates_from_param(tx, entry.get("tax_rates"), f"{param}[tax_rates]")
    return item


async def _change_item(tx: Transaction, item: Json, entry: Json, param: str) -> None:
    if "price" in entry:
        if entry["price"] != item["price"]["id"]:
            set_price(item, await _recurring_price(tx, entry["price"], param))
        item["quantity"] = 1
    item["quantity"] = _quantity(entry, item["price"], item["quantity"], param)
    item["metadata"] = merge_metadata(item["metadata"], entry.get("metadata"))
    if "tax_rates" in entry:
        item["tax_rates"] = await tax_rates_from_param(tx, entry["tax_rates"], f"{param}[tax_rates]")


async def _recurring_price(tx: Transaction, price_id: str, param: str) -> Json:
    price = await get_price_to_sell(tx, price_id, f"{param}[price]")
    if price["type"] != "recurring":
        raise invalid_request(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=f"{param}[price]",
        )
    if price["recurring"]["usage_type"] != "licensed":
        raise invalid_request("The sandbox implements licensed prices only.", param=f"{param}[price]")
    return price


def _quantity(entry: Json, price: Json, default: int, param: str) -> int:
    quantity: int = entry.get("quantity", default)
    if quantity < 0:
        raise invalid_request(
            "Invalid non-negative integer", code="parameter_invalid_integer", param=f"{param}[quantity]"
        )
    check_amount(nearest(full_amount(price, quantity)), price["currency"], f"{param}[quantity]")
    return quantity
