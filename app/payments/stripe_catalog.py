"""Products, prices and tax rates in Stripe."""

from __future__ import annotations

from typing import Any, cast

from app.payments.gateway_values import GatewayRefused, Price, Product, TaxRate
from app.payments.stripe_calls import PAGE, StripeCalls, keyed


class StripeCatalog(StripeCalls):
    """What is sold, found again by keys of our own."""

    async def ensure_product(self, product: Product) -> None:
        try:
            existing = await self.step("retrieve_product", lambda: self.stripe.products.retrieve_async(product.id))
        except GatewayRefused:
            await self.step(
                "create_product", lambda: self.stripe.products.create_async({"id": product.id, "name": product.name})
            )
            return
        if existing.name != product.name:
            await self.step(
                "update_product", lambda: self.stripe.products.update_async(product.id, {"name": product.name})
            )

    async def ensure_price(self, price: Price) -> str:
        page = await self.step(
            "list_prices", lambda: self.stripe.prices.list_async({"lookup_keys": [price.lookup_key], "limit": 1})
        )
        if page.data:
            return page.data[0].id
        params: dict[str, Any] = {
            "product": price.product_id,
            "currency": price.amount.currency.lower(),
            "unit_amount": price.amount.minor,
            "tax_behavior": "inclusive" if price.includes_tax else "exclusive",
            "lookup_key": price.lookup_key,
        }
        if price.interval is not None:
            params["recurring"] = {"interval": price.interval}
        made = await self.step(
            "create_price",
            lambda: self.stripe.prices.create_async(cast(Any, params), keyed(f"price:{price.lookup_key}")),
        )
        return made.id

    async def ensure_tax_rate(self, rate: TaxRate) -> str:
        page = await self.step(
            "list_tax_rates", lambda: self.stripe.tax_rates.list_async({"active": True, "limit": PAGE})
        )
        async for existing in page.auto_paging_iter():
            if existing.metadata is not None and existing.metadata.to_dict().get("counterfoil_key") == rate.key:
                return existing.id
        params: dict[str, Any] = {
            "display_name": rate.name,
            "percentage": rate.percent,
            "inclusive": rate.inclusive,
            "metadata": {"counterfoil_key": rate.key},
        }
        if rate.country is not None:
            params["country"] = rate.country
        made = await self.step(
            "create_tax_rate", lambda: self.stripe.tax_rates.create_async(cast(Any, params), keyed(f"tax:{rate.key}"))
        )
        return made.id
