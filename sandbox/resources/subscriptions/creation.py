"""Creating a subscription: its items get their first periods, the first invoice is made and paid."""

from __future__ import annotations

from datetime import UTC, datetime

from sandbox.errors import StripeError, invalid_request
from sandbox.events import emit
from sandbox.objects import Json
from sandbox.resources.invoices.invoice_item_object import create_item, price_fields
from sandbox.resources.products.prices import get_price_to_sell
from sandbox.resources.subscriptions.billing import amount_from, create_draft, line_for
from sandbox.resources.subscriptions.collection import collect
from sandbox.resources.subscriptions.ends import cut_period, end_from_params
from sandbox.resources.subscriptions.fields import set_fields
from sandbox.resources.subscriptions.items import new_items, tax_rates_from_param
from sandbox.resources.subscriptions.periods import Interval, boundary_after, interval_of, shifted
from sandbox.resources.subscriptions.subscription_object import items_of, new_subscription, set_next_step
from sandbox.resources.subscriptions.trials import payment_method_of, start_trial, trial_end_from_params
from sandbox.store import Transaction

# how long the first payment may wait
INCOMPLETE_SECONDS = 23 * 3600


async def create_subscription(tx: Transaction, params: Json) -> Json:
    """Store a new subscription, pay its first invoice as `payment_behavior` says, and return it."""
    behavior = params.get("payment_behavior", "allow_incomplete")
    if behavior == "pending_if_incomplete":
        raise invalid_request(
            "You can't create a subscription with `payment_behavior` set to `pending_if_incomplete`.",
            param="payment_behavior",
        )
    subscription, draft = await draft_subscription(tx, params)
    await emit(tx, "customer.subscription.created", subscription)
    if subscription["status"] == "trialing" and subscription["_trial_notice_at"] == tx.now:
        await emit(tx, "customer.subscription.trial_will_end", subscription)
    if draft is None:
        return subscription
    error = await collect(
        tx, draft, off_session=params.get("off_session", False), attempt=behavior != "default_incomplete"
    )
    if error is not None and behavior == "error_if_incomplete":
        error.keeps_changes = False
        raise error
    return await tx.get("subscription", subscription["id"])


async def draft_subscription(tx: Transaction, params: Json) -> tuple[Json, Json | None]:
    """Store a new subscription and the draft of its first invoice, of which nothing is paid yet; None without an invoice."""
    customer = await tx.get("customer", params["customer"], "customer")
    _check_mode(params)
    subscription = new_subscription(customer, "", tx.now)
    items = await new_items(tx, subscription["id"], params.get("items", []))
    subscription["currency"] = items[0]["price"]["currency"]
    _check_currency(customer, subscription["currency"], params)
    subscription["items"]["data"] = items
    await set_fields(tx, subscription, params)
    if "billing_cycle_anchor_config" in params:
        config: Json = params["billing_cycle_anchor_config"]
        names = ("day_of_month", "hour", "minute", "month", "second")
        subscription["billing_cycle_anchor_config"] = {name: config.get(name) for name in names}
    subscription["discounts"] = [discount["id"] for discount in subscription["_discounts"]]
    trial_end = trial_end_from_params(params, tx.now)
    if trial_end is not None:
        start_trial(subscription, trial_end, tx.now)
    else:
        _set_periods(subscription, _anchor(params, tx.now, items), tx.now)
    if end := end_from_params(params, subscription, tx.now):
        subscription |= end
        for item in items:
            cut_period(item, subscription["cancel_at"])
    await _add_one_time_items(tx, subscription, params.get("add_invoice_items", []))
    lines = await _first_lines(tx, subscription, params.get("proration_behavior", "create_prorations"))
    draft: Json | None = None
    if lines or params.get("add_invoice_items"):
        draft = await create_draft(tx, subscription, lines, reason="subscription_create", period=(tx.now, tx.now))
    if draft is None or draft["total"] <= 0:
        subscription["status"] = "trialing" if trial_end else "active"
    elif trial_end is None:
        await _require_card(tx, subscription, params)
    if subscription["status"] == "incomplete":
        subscription["_expires_at"] = tx.now + INCOMPLETE_SECONDS
    set_next_step(subscription)
    return await tx.insert(subscription), draft


def _check_mode(params: Json) -> None:
    if params.get("billing_mode", {}).get("type", "flexible") != "flexible":
        raise invalid_request(
            "The sandbox implements subscriptions in flexible billing_mode only.", param="billing_mode[type]"
        )
    discounts = params.get("billing_mode", {}).get("flexible", {}).get("proration_discounts", "included")
    if discounts != "included":
        raise invalid_request(
            "The sandbox implements prorations with their discounts included only.",
            param="billing_mode[flexible][proration_discounts]",
        )
    if "billing_cycle_anchor" in params and "billing_cycle_anchor_config" in params:
        raise invalid_request(
            "You can't pass both billing_cycle_anchor and billing_cycle_anchor_config.", param="billing_cycle_anchor"
        )


def _check_currency(customer: Json, currency: str, params: Json) -> None:
    if params.get("currency", currency) != currency:
        raise invalid_request(f"The prices are in {currency}, not in {params['currency']}.", param="currency")
    if customer["currency"] not in (None, currency):
        raise invalid_request(
            "You cannot combine currencies on a single customer. This customer has had a subscription, coupon, or invoice"
            f" item with currency {customer['currency']}",
            param="items",
        )


def _anchor(params: Json, now: int, items: list[Json]) -> int:
    """Return the anchor that the parameters ask for, or else now. Raises StripeError unless it is within one interval."""
    shortest = min((interval_of(item["price"]) for item in items), key=Interval.order)
    if "billing_cycle_anchor_config" in params:
        return _anchor_of_day(params["billing_cycle_anchor_config"], now, shortest)
    anchor: int = params.get("billing_cycle_anchor", now)
    if anchor < now:
        raise invalid_request("billing_cycle_anchor must be in the future.", param="billing_cycle_anchor")
    if anchor > shifted(now, shortest, now):
        raise invalid_request(
            "billing_cycle_anchor cannot be later than next natural billing date", param="billing_cycle_anchor"
        )
    return anchor


def _anchor_of_day(given: Json, now: int, shortest: Interval) -> int:
    """Return the next time that the day of the month names, in a month that has it.

    A shorter month before that, or after it, is billed on its last day, as with any anchor.
    """
    if not shortest.months or set(given) - {"day_of_month", "hour", "minute", "second"}:
        raise invalid_request(
            "The sandbox implements an anchor by the day of the month, for prices of months or years.",
            param="billing_cycle_anchor_config",
        )
    if not 1 <= given["day_of_month"] <= 31:
        raise invalid_request("day_of_month must be from 1 to 31", param="billing_cycle_anchor_config[day_of_month]")
    at = datetime.fromtimestamp(now, UTC)
    # any month with 31 days carries the day, of which shorter months take what they have
    base = at.replace(
        year=at.year - 1,
        month=1,
        day=given["day_of_month"],
        hour=given.get("hour", at.hour),
        minute=given.get("minute", at.minute),
        second=given.get("second", at.second),
    )
    anchor = boundary_after(now, Interval(months=1), int(base.timestamp()))
    while datetime.fromtimestamp(anchor, UTC).day != given["day_of_month"]:
        anchor = boundary_after(anchor, Interval(months=1), int(base.timestamp()))
    return anchor


def _set_periods(subscription: Json, anchor: int, now: int) -> None:
    subscription["billing_cycle_anchor"] = anchor
    for item in items_of(subscription):
        every = interval_of(item["price"])
        end = boundary_after(now, every, anchor) if anchor > now else shifted(now, every, anchor)
        item |= {"current_period_start": now, "current_period_end": end}


async def _add_one_time_items(tx: Transaction, subscription: Json, given: list[Json]) -> None:
    """Let one-time prices wait for the first invoice, for the period that the items have in common."""
    items = items_of(subscription)
    period = {
        "start": max(item["current_period_start"] for item in items),
        "end": min(item["current_period_end"] for item in items),
    }
    for place, entry in enumerate(given):
        param = f"add_invoice_items[{place}]"
        price = await get_price_to_sell(tx, entry.get("price", ""), f"{param}[price]")
        if price["type"] != "one_time" or price["currency"] != subscription["currency"]:
            raise invalid_request("Only one-time prices of the same currency can be added.", param=f"{param}[price]")
        rates = await tax_rates_from_param(tx, entry.get("tax_rates"), f"{param}[tax_rates]")
        fields: Json = {
            "parent": {
                "type": "subscription_details",
                "subscription_details": {"subscription": subscription["id"], "subscription_item": None},
            }
        }
        given_fields: Json = {"period": period, "tax_rates": [rate["id"] for rate in rates]}
        await create_item(
            tx, given_fields, subscription["customer"], price_fields(price, entry.get("quantity", 1)), None, fields
        )


async def _first_lines(tx: Transaction, subscription: Json, proration: str) -> list[Json]:
    """Return the lines of the first invoice; a period that is not a full one costs its part, or nothing without proration."""
    lines: list[Json] = []
    anchor = subscription["billing_cycle_anchor"]
    for item in items_of(subscription):
        if subscription["status"] == "trialing":
            lines.append(await line_for(tx, subscription, item, 0, trial=True))
            continue
        start, end = item["current_period_start"], item["current_period_end"]
        if proration == "none" and end != shifted(start, interval_of(item["price"]), start):
            continue
        lines.append(await line_for(tx, subscription, item, amount_from(item, start, anchor)))
    return lines


async def _require_card(tx: Transaction, subscription: Json, params: Json) -> None:
    if params.get("payment_behavior") == "default_incomplete":
        return
    if await payment_method_of(tx, subscription) is None:
        raise no_card_error()


def no_card_error() -> StripeError:
    """Return the error for a charge without a card."""
    return invalid_request(
        "This customer has no attached payment source or default payment method. Please consider adding a default"
        " payment method. For more information, visit"
        " https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.",
        code="resource_missing",
    )
