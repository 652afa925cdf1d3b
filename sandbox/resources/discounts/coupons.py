"""Coupons, which support staff make in the dashboard; the sandbox takes those of a percentage or of an amount."""

from __future__ import annotations

from decimal import Decimal

from sandbox.calls import Call
from sandbox.currencies import check_amount, checked_currency
from sandbox.errors import invalid_request, missing_param
from sandbox.events import emit
from sandbox.ids import random_text
from sandbox.metadata import merge_metadata
from sandbox.objects import Json

_ID_LENGTH = 8
_MAX_PERCENT = 100


async def create(call: Call) -> Json:
    """POST /v1/coupons: a percentage or an amount off, once, for ever or for some months."""
    params = call.params
    if ("percent_off" in params) == ("amount_off" in params):
        raise invalid_request("You must pass exactly one of percent_off and amount_off.", param="percent_off")
    duration = params.get("duration", "once")
    if (duration == "repeating") != ("duration_in_months" in params):
        raise missing_param(
            "duration_in_months", "duration_in_months goes with the duration `repeating`, and only there."
        )
    coupon_id = params.get("id") or random_text(_ID_LENGTH)
    if await call.tx.find_including_deleted("coupon", coupon_id) is not None:
        raise invalid_request(f"Coupon already exists: {coupon_id}", code="resource_already_exists", param="id")
    coupon: Json = {
        "id": coupon_id,
        "object": "coupon",
        "applies_to": None,
        "created": call.tx.now,
        "currency_options": None,
        "duration": duration,
        "duration_in_months": params.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": None,
        "metadata": merge_metadata({}, params.get("metadata")),
        "name": params.get("name"),
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }
    coupon |= _off(params)
    await call.tx.insert(coupon)
    await emit(call.tx, "coupon.created", coupon)
    return coupon


async def delete(call: Call) -> Json:
    """DELETE /v1/coupons/{id}: nobody new gets it; who has it keeps it."""
    coupon = await call.tx.get("coupon", call.id)
    await emit(call.tx, "coupon.deleted", coupon)
    return await call.tx.delete(coupon)


def _off(params: Json) -> Json:
    """Return the fields that say what is taken off."""
    if "amount_off" in params:
        if "currency" not in params:
            raise missing_param("currency")
        amount, currency = params["amount_off"], checked_currency(params["currency"])
        if amount < 1:
            raise invalid_request("Invalid positive integer", code="parameter_invalid_integer", param="amount_off")
        check_amount(amount, currency, "amount_off")
        return {"amount_off": amount, "currency": currency, "percent_off": None, "_percent": None}
    percent: Decimal = params["percent_off"]
    if not 0 < percent <= _MAX_PERCENT:
        raise invalid_request("Invalid decimal: percent_off must be between 0 and 100", param="percent_off")
    return {"amount_off": None, "currency": None, "percent_off": float(percent), "_percent": str(percent)}
