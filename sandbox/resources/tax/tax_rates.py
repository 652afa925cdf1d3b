"""Tax rates."""

from __future__ import annotations

from decimal import Decimal

from sandbox.calls import Call
from sandbox.errors import invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.store import Transaction

MAX_PERCENTAGE = 100
MAX_DECIMAL_PLACES = 4


async def create(call: Call) -> Json:
    """POST /v1/tax_rates."""
    params = call.params
    percentage: Decimal = params["percentage"]
    if not 0 <= percentage <= MAX_PERCENTAGE:
        raise invalid_request(f"Invalid decimal: percentage must be between 0 and {MAX_PERCENTAGE}", param="percentage")
    exponent = percentage.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MAX_DECIMAL_PLACES:
        raise invalid_request(
            f"Invalid decimal: {percentage}; must contain at maximum {MAX_DECIMAL_PLACES} decimal places",
            param="percentage",
        )
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
        "metadata": merge_metadata({}, params.get("metadata")),
        "percentage": float(percentage),
        "rate_type": "percentage",
        "state": params.get("state"),
        "tax_type": params.get("tax_type"),
        "_percentage": str(percentage),
    }
    await call.tx.insert(rate)
    await emit(call.tx, "tax_rate.created", rate)
    return rate


async def update(call: Call) -> Json:
    """POST /v1/tax_rates/{id}; `percentage` and `inclusive` can't be changed."""
    rate = await call.tx.get("tax_rate", call.id)
    before = snapshot(rate)
    for name in ("active", "country", "description", "display_name", "jurisdiction", "state", "tax_type"):
        if name in call.params:
            rate[name] = call.params[name]
    rate["metadata"] = merge_metadata(rate["metadata"], call.params.get("metadata"))
    await call.tx.save(rate)
    await emit(call.tx, "tax_rate.updated", rate, previous_attributes(before, rate))
    return rate


async def check_tax_rates(tx: Transaction, rate_ids: list[str], param: str) -> None:
    """Raise a StripeError unless each of the tax rates exists and is active: archived ones stay only where they are."""
    for rate_id in rate_ids:
        if not (await tx.get("tax_rate", rate_id, param))["active"]:
            raise invalid_request(f"The tax rate {rate_id} is archived and can't be used.", param=param)
