"""The discount object: a coupon given to a subscription or to an invoice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.errors import invalid_request
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.store import Transaction

_DAYS_OF_A_MONTH = 31


async def discounts_from_params(
    tx: Transaction, given: Any, currency: str, owner: Json, known: list[Json]
) -> list[Json]:
    """Store and return the discounts of the parameter `discounts`, each of which names a coupon or one of `known`.

    `owner` names what they belong to, such as `{"subscription": …}`. Raises StripeError for promotion codes, which the
    sandbox does not implement, and for a coupon of another currency.
    """
    found: list[Json] = []
    for place, entry in enumerate(given or []):
        param = f"discounts[{place}]"
        if "discount" in entry:
            kept = [discount for discount in known if discount["id"] == entry["discount"]]
            if not kept:
                raise invalid_request(f"No such discount: '{entry['discount']}'", code="resource_missing", param=param)
            found += kept
        elif "coupon" in entry:
            coupon = await tx.get("coupon", entry["coupon"], f"{param}[coupon]")
            if coupon["currency"] not in (None, currency):
                raise invalid_request(
                    f"The coupon {coupon['id']} is in {coupon['currency']} and can't be used with {currency}.",
                    param=param,
                )
            found.append(await _create_discount(tx, coupon, owner))
        else:
            raise invalid_request("The sandbox implements discounts by coupon only.", param=param)
    return found


async def _create_discount(tx: Transaction, coupon: Json, owner: Json) -> Json:
    months = coupon["duration_in_months"]
    discount: Json = {
        "id": new_id("di"),
        "object": "discount",
        "checkout_session": None,
        "customer": None,
        "customer_account": None,
        "end": _months_later(tx.now, months) if months else None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "source": {"type": "coupon", "coupon": coupon["id"]},
        "start": tx.now,
        "subscription": None,
        "subscription_item": None,
        "_duration": coupon["duration"],
        "_percent": coupon["_percent"],
        "_amount_off": coupon["amount_off"],
    }
    return await tx.insert(discount | owner)


def _months_later(start: int, months: int) -> int:
    """Return the same day and time some months later, or the month's last day."""
    at = datetime.fromtimestamp(start, UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    for day in range(at.day, at.day - _DAYS_OF_A_MONTH, -1):
        try:
            return int(at.replace(year=year, month=month + 1, day=day).timestamp())
        except ValueError:
            continue
    raise AssertionError("every month has a day")


def still_valid(discounts: list[Json], now: int) -> list[Json]:
    """Return the discounts that have not ended."""
    return [discount for discount in discounts if discount["end"] is None or discount["end"] > now]
