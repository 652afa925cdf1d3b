"""What may be bought: a pack or an amount of money, and its exact price."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.catalog import Catalog, pack_price
from app.errors import InvalidInput
from app.money import Money


@dataclass(frozen=True, slots=True)
class Order:
    """What is bought: `credits` in the unit's smallest step, for `price` before tax where tax comes on top.

    `price_key` is the lookup key of the pack's price, None for a custom amount.
    """

    credits: int
    price: Money
    pack_code: str | None
    description: str
    product_id: str
    price_key: str | None


def custom_product_id(catalog: Catalog) -> str:
    """The id of the provider's product under which custom amounts of credits are sold."""
    return f"{catalog.code}-credits"


def order(catalog: Catalog, *, pack_code: str | None, amount: Decimal | None) -> Order:
    """The order for a pack or for an amount of money; raises `InvalidInput` unless it is exactly one that the catalog sells."""
    if (pack_code is None) == (amount is None):
        raise InvalidInput("Give exactly one of packCode and amount.", path=("input",))
    if amount is not None:
        price = Money.of(amount, catalog.currency, path=("input", "amount"))
        steps = catalog.credits_for(price)
        description = f"{catalog.credit_unit.text(steps)} of credits"
        return Order(steps, price, None, description, custom_product_id(catalog), None)
    pack = catalog.pack(pack_code or "")
    if pack is None:
        sold = ", ".join(each.code for each in catalog.packs)
        raise InvalidInput(
            f"There is no such pack. Choose one of: {sold}."
            if sold
            else "Credits are sold by amount here: give an amount, and no pack.",
            path=("input", "packCode"),
        )
    price = pack_price(catalog, pack)
    description = f"{pack.name}: {catalog.credit_unit.text(pack.credits)}"
    return Order(pack.credits, pack.price, pack.code, description, price.product, price.lookup_key)
