"""The parameters of a subscription that are set as they are given, without anything being billed for them."""

from __future__ import annotations

from sandbox.errors import invalid_request
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.discounts.discount_object import discounts_from_params
from sandbox.resources.payment_methods.attachment import not_attached_error
from sandbox.resources.subscriptions.items import tax_rates_from_param
from sandbox.store import Transaction


async def set_fields(tx: Transaction, subscription: Json, params: Json) -> None:
    """Set what the parameters say, without storing it. Raises StripeError for wrong values."""
    if params.get("collection_method", "charge_automatically") != "charge_automatically":
        raise invalid_request(
            "The sandbox implements subscriptions that are charged automatically only.", param="collection_method"
        )
    subscription["metadata"] = merge_metadata(subscription["metadata"], params.get("metadata"))
    if "description" in params:
        subscription["description"] = params["description"] or None
    if "default_payment_method" in params:
        await _set_default_payment_method(tx, subscription, params["default_payment_method"])
    if "default_tax_rates" in params:
        rates = await tax_rates_from_param(tx, params["default_tax_rates"], "default_tax_rates")
        subscription["default_tax_rates"] = rates
    if "discounts" in params:
        await _set_discounts(tx, subscription, params["discounts"])
    if "trial_settings" in params:
        subscription["trial_settings"]["end_behavior"] |= params["trial_settings"]["end_behavior"]
    if "save_default_payment_method" in params.get("payment_settings", {}):
        subscription["payment_settings"] |= params["payment_settings"]
    for name in ("comment", "feedback"):
        if name in params.get("cancellation_details", {}):
            subscription["cancellation_details"][name] = params["cancellation_details"][name] or None
    if "pause_collection" in params:
        _set_pause(subscription, params["pause_collection"], tx.now)


async def _set_default_payment_method(tx: Transaction, subscription: Json, chosen: str) -> None:
    method = await tx.get("payment_method", chosen, "default_payment_method")
    if method["customer"] != subscription["customer"]:
        raise not_attached_error(chosen, "default_payment_method")
    subscription["default_payment_method"] = chosen


async def _set_discounts(tx: Transaction, subscription: Json, given: object) -> None:
    owner = {"subscription": subscription["id"], "customer": subscription["customer"]}
    known = subscription["_discounts"]
    subscription["_discounts"] = await discounts_from_params(tx, given, subscription["currency"], owner, known)
    subscription["discounts"] = [discount["id"] for discount in subscription["_discounts"]]


def _set_pause(subscription: Json, given: Json | str, now: int) -> None:
    if isinstance(given, str):
        subscription["pause_collection"] = None
        return
    if given.get("resumes_at") is not None and given["resumes_at"] <= now:
        raise invalid_request("resumes_at must be in the future.", param="pause_collection[resumes_at]")
    subscription["pause_collection"] = {"behavior": given["behavior"], "resumes_at": given.get("resumes_at")}
