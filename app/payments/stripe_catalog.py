"""Products, prices and tax rates in Stripe.

They are listed first, many in one call, and only what differs is written. What someone archived, renamed or deleted in the
dashboard is brought back: what is sold is said in the catalog's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

import stripe

from app.payments.gateway_errors import GatewayMissing, GatewayRefused
from app.payments.gateway_values import Price, Product, SyncedObjects, TaxRate
from app.payments.stripe_calls import PAGE, StripeCalls, keyed

T = TypeVar("T")

# Stripe lists prices of so many lookup keys at once.
_LOOKUP_KEYS: Final = 10
# How many ids are tried for a product whose own was deleted.
_PRODUCT_IDS: Final = 9
_KEY: Final = "counterfoil_key"


class StripeCatalog(StripeCalls):
    """What is sold, found again by keys of our own."""

    async def ensure_products(self, products: Sequence[Product]) -> SyncedObjects:
        found: dict[str, stripe.Product] = {}
        for some in _batches([product.id for product in products], PAGE):
            params: Any = {"ids": some, "limit": PAGE}
            page = await self.step("list_products", lambda params=params: self.stripe.products.list_async(params))
            found |= {product.id: product for product in page.data}
        ids: dict[str, str] = {}
        written: list[str] = []
        for product in products:
            existing = found.get(product.id)
            if existing is None:
                ids[product.id] = await self._create_product(product)
                written.append(f"product {ids[product.id]} made")
                continue
            ids[product.id] = product.id
            if existing.name != product.name or not existing.active:
                changed: Any = {"name": product.name, "active": True}
                await self.step(
                    "update_product",
                    lambda product=product, changed=changed: self.stripe.products.update_async(product.id, changed),
                )
                written.append(f"product {product.id} brought back")
        return SyncedObjects(ids, tuple(written))

    async def _create_product(self, product: Product) -> str:
        """Make a product under its id, or the first id after it that Stripe takes."""
        for number in range(1, _PRODUCT_IDS + 1):
            product_id = product.id if number == 1 else f"{product.id}-{number}"
            params: Any = {"id": product_id, "name": product.name}
            try:
                await self.step("create_product", lambda params=params: self.stripe.products.create_async(params))
            except GatewayRefused as refused:
                if not _is_taken(refused) or number == _PRODUCT_IDS:
                    raise
                # by another process at this moment, or by a product that was deleted
                if not await self._has_product(product_id):
                    continue
            return product_id
        raise AssertionError("the last try returns or raises")

    async def _has_product(self, product_id: str) -> bool:
        try:
            found = await self.step("retrieve_product", lambda: self.stripe.products.retrieve_async(product_id))
        except GatewayMissing:
            return False
        return not getattr(found, "deleted", False)

    async def ensure_prices(self, prices: Sequence[Price]) -> SyncedObjects:
        found = await self._prices([price.lookup_key for price in prices])
        ids: dict[str, str] = {}
        written: list[str] = []
        for price in prices:
            existing = found.get(price.lookup_key)
            if existing is None or not _is_same(existing, price):
                # a price can't be changed: where the key was given to another one, it is taken back
                ids[price.lookup_key] = await self._create_price(price, takes_key=existing is not None)
                written.append(f"price {price.lookup_key} made")
                continue
            ids[price.lookup_key] = existing.id
            if not existing.active:
                await self.step(
                    "update_price",
                    lambda existing=existing: self.stripe.prices.update_async(existing.id, {"active": True}),
                )
                written.append(f"price {price.lookup_key} brought back")
        return SyncedObjects(ids, tuple(written))

    async def _prices(self, lookup_keys: Sequence[str]) -> dict[str, stripe.Price]:
        """The prices with these lookup keys, also archived ones, by lookup key."""
        found: dict[str, stripe.Price] = {}
        for some in _batches(lookup_keys, _LOOKUP_KEYS):
            params: Any = {"lookup_keys": some, "limit": PAGE}
            page = await self.step("list_prices", lambda params=params: self.stripe.prices.list_async(params))
            found |= {price.lookup_key: price async for price in page.auto_paging_iter() if price.lookup_key}
        return found

    async def _create_price(self, price: Price, *, takes_key: bool) -> str:
        params: dict[str, Any] = {
            "product": price.product_id,
            "currency": price.amount.currency.lower(),
            "unit_amount": price.amount.minor,
            "tax_behavior": "inclusive" if price.includes_tax else "exclusive",
            "lookup_key": price.lookup_key,
        }
        if price.interval is not None:
            params["recurring"] = {"interval": price.interval}
        if takes_key:
            params["transfer_lookup_key"] = True
        try:
            # No idempotency key: for a day it would answer with a price whose lookup key was taken away since.
            made = await self.step("create_price", lambda: self.stripe.prices.create_async(cast(Any, params)))
        except GatewayRefused as refused:
            if not _is_taken(refused):
                raise
            # another process made it at this moment
            made = (await self._prices([price.lookup_key]))[price.lookup_key]
        return made.id

    async def ensure_tax_rates(self, rates: Sequence[TaxRate]) -> SyncedObjects:
        if not rates:
            return SyncedObjects({}, ())
        page = await self.step("list_tax_rates", lambda: self.stripe.tax_rates.list_async({"limit": PAGE}))
        listed = [existing async for existing in page.auto_paging_iter()]
        ids: dict[str, str] = {}
        written: list[str] = []
        for rate in rates:
            same = [existing for existing in listed if _is_same_rate(existing, rate)]
            # an archived one is brought back only where there is no other
            existing = next((each for each in same if each.active), same[0] if same else None)
            if existing is None:
                ids[rate.key] = await self._create_tax_rate(rate, {each.id for each in listed})
                written.append(f"tax rate {rate.key} made")
                continue
            ids[rate.key] = existing.id
            if not existing.active or existing.display_name != rate.name:
                await self._update_tax_rate(existing.id, rate)
                written.append(f"tax rate {rate.key} brought back")
        return SyncedObjects(ids, tuple(written))

    async def _create_tax_rate(self, rate: TaxRate, listed: set[str]) -> str:
        params: dict[str, Any] = {
            "display_name": rate.name,
            "percentage": rate.percent,
            "inclusive": rate.inclusive,
            "metadata": {_KEY: rate.key},
        }
        if rate.country is not None:
            params["country"] = rate.country
        made = await self.step(
            "create_tax_rate", lambda: self.stripe.tax_rates.create_async(cast(Any, params), keyed(f"tax:{rate.key}"))
        )
        if made.id in listed:
            # the idempotency key answered with the rate that was made in the last day, which lost our key since
            await self._update_tax_rate(made.id, rate)
        return made.id

    async def _update_tax_rate(self, rate_id: str, rate: TaxRate) -> None:
        changed: Any = {"active": True, "display_name": rate.name, "metadata": {_KEY: rate.key}}
        await self.step("update_tax_rate", lambda: self.stripe.tax_rates.update_async(rate_id, changed))


def _is_taken(refused: GatewayRefused) -> bool:
    """Whether Stripe refused because another object has the id or the lookup key."""
    cause = refused.__cause__
    return isinstance(cause, stripe.StripeError) and cause.code == "resource_already_exists"


def _is_same(existing: stripe.Price, price: Price) -> bool:
    recurring = existing.recurring
    interval = recurring.interval if recurring is not None else None
    count = recurring.interval_count if recurring is not None else 1
    product = existing.product if isinstance(existing.product, str) else existing.product.id
    behavior = "inclusive" if price.includes_tax else "exclusive"
    return (existing.unit_amount, existing.currency, product, existing.tax_behavior, interval, count) == (
        price.amount.minor,
        price.amount.currency.lower(),
        price.product_id,
        behavior,
        price.interval,
        1,
    )


def _is_same_rate(existing: stripe.TaxRate, rate: TaxRate) -> bool:
    key = existing.metadata.to_dict().get(_KEY) if existing.metadata is not None else None
    return (key, Decimal(str(existing.percentage)), existing.inclusive) == (rate.key, rate.percent, rate.inclusive)


def _batches(values: Sequence[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
