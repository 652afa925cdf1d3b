"""The subscription object and the objects of its items."""

from __future__ import annotations

from typing import Any

from sandbox.ids import new_id
from sandbox.objects import Json, list_object, visible

# a subscription in one of these statuses has ended, for good
ENDED = ("canceled", "incomplete_expired")


def new_subscription(customer: Json, currency: str, now: int) -> Json:
    """Return an incomplete subscription without items."""
    subscription_id = new_id("sub")
    return _empty_subscription() | {
        "id": subscription_id,
        "object": "subscription",
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": now},
        "cancellation_details": {"comment": None, "feedback": None, "feedback_option": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": now,
        "currency": currency,
        "customer": customer["id"],
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": list_object([], f"/v1/subscription_items?subscription={subscription_id}"),
        "managed_payments": {"enabled": False},
        "metadata": {},
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "start_date": now,
        "status": "incomplete",
        "trial_settings": {"end_behavior": {"billing_cycle_anchor": "now", "missing_payment_method": "create_invoice"}},
    }


def new_subscription_item(subscription_id: str, price: Json, quantity: int, now: int) -> Json:
    """Return an item without a period; `_debits` are what was charged for its period so far."""
    return {
        "id": new_id("si"),
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": now,
        "current_period_end": now,
        "current_period_start": now,
        "current_trial": None,
        "discounts": [],
        "metadata": {},
        "plan": _plan(price),
        "price": visible(price),
        "quantity": quantity,
        "subscription": subscription_id,
        "tax_rates": [],
        "_debits": [],
    }


def set_price(item: Json, price: Json) -> None:
    """Give an item another price."""
    item |= {"price": visible(price), "plan": _plan(price)}


def items_of(subscription: Json) -> list[Json]:
    """Return the items, oldest first."""
    items: list[Json] = subscription["items"]["data"]
    return items


def rates_of(subscription: Json, item: Json) -> list[str]:
    """Return the tax rates that count for an item: its own, or else the subscription's."""
    return [rate["id"] for rate in item["tax_rates"] or subscription["default_tax_rates"]]


def is_live(subscription: Json) -> bool:
    """Whether the subscription has periods that pass and are renewed."""
    return subscription["status"] in ("active", "trialing", "past_due", "unpaid")


def set_next_step(subscription: Json) -> None:
    """Write down when something happens by itself next: a period ends, a trial, the wait for a payment, or the subscription."""
    times: list[int | None] = []
    if is_live(subscription):
        times = [item["current_period_end"] for item in items_of(subscription)]
        pause: Json = subscription["pause_collection"] or {}
        times += [subscription["cancel_at"], pause.get("resumes_at"), subscription["_trial_notice_at"]]
    if subscription["status"] == "incomplete":
        times = [subscription["_expires_at"]]
    if subscription["pending_update"]:
        times.append(subscription["pending_update"]["expires_at"])
    subscription["_next_step_at"] = min((at for at in times if at is not None), default=None)


def _plan(price: Json) -> Json:
    """Return the plan, by which earlier versions of Stripe's API called a recurring price."""
    copied: dict[str, Any] = {
        name: price[name]
        for name in ("active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname")
    }
    recurring = price["recurring"]
    return copied | {
        "id": price["id"],
        "object": "plan",
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "meter": None,
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": recurring["usage_type"],
    }


def _empty_subscription() -> Json:
    """Return the fields of a subscription that are empty at first, or always in the sandbox."""
    return {
        "application": None,
        "application_fee_percent": None,
        "billing_cycle_anchor_config": None,
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "latest_invoice": None,
        "livemode": False,
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "status_details": None,
        "test_clock": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_start": None,
        "_discounts": [],
        "_expires_at": None,
        "_next_step_at": None,
        "_pending": None,
        "_trial_notice_at": None,
    }
