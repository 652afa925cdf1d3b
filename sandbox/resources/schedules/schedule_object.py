"""The subscription schedule object, and its phases."""

from __future__ import annotations

from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.resources.subscriptions.subscription_object import items_of

EXPIRING_SECONDS = 7 * 86400


def new_schedule(subscription: Json, now: int) -> Json:
    """Return the schedule made from a subscription: one phase, which is its current period."""
    items = items_of(subscription)
    start = min(item["current_period_start"] for item in items)
    end = max(item["current_period_end"] for item in items)
    phase = new_phase(start, end, phase_items(subscription)) | {
        "currency": subscription["currency"],
        "default_tax_rates": subscription["default_tax_rates"],
    }
    return {
        "id": new_id("sub_sched"),
        "object": "subscription_schedule",
        "application": None,
        "billing_mode": subscription["billing_mode"],
        "canceled_at": None,
        "completed_at": None,
        "created": now,
        "current_phase": {"start_date": start, "end_date": end},
        "customer": subscription["customer"],
        "customer_account": None,
        "default_settings": {
            "application_fee_percent": None,
            "automatic_tax": None,
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": None,
            "description": None,
            "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}},
            "on_behalf_of": None,
            "transfer_data": None,
        },
        "end_behavior": "release" if subscription["cancel_at"] is None else "cancel",
        "livemode": False,
        "metadata": {},
        "pause_schedules": [],
        "phases": [phase],
        "released_at": None,
        "released_subscription": None,
        "status": "active",
        "subscription": subscription["id"],
        "test_clock": None,
        "_expiring_at": None,
        "_next_step_at": None,
    }


def new_phase(start: int, end: int, items: list[Json]) -> Json:
    """Return a phase with the items given."""
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "automatic_tax": None,
        "billing_cycle_anchor": None,
        "billing_thresholds": None,
        "collection_method": None,
        "currency": None,
        "default_payment_method": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "end_date": end,
        "invoice_settings": None,
        "items": items,
        "metadata": {},
        "on_behalf_of": None,
        "proration_behavior": "create_prorations",
        "start_date": start,
        "transfer_data": None,
        "trial": None,
        "trial_end": None,
    }


def phase_item(price_id: str, quantity: int, tax_rates: list[Json], metadata: dict[str, str]) -> Json:
    """Return an item of a phase."""
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": metadata,
        "plan": price_id,
        "price": price_id,
        "quantity": quantity,
        "tax_rates": tax_rates,
    }


def phase_items(subscription: Json) -> list[Json]:
    """Return the items of a phase as the subscription has them now."""
    return [
        phase_item(item["price"]["id"], item["quantity"], item["tax_rates"], item["metadata"])
        for item in items_of(subscription)
    ]


def current_phase(schedule: Json) -> Json:
    """Return the phase that the schedule is in."""
    start = schedule["current_phase"]["start_date"]
    phase: Json = next(phase for phase in schedule["phases"] if phase["start_date"] == start)
    return phase


def phases_after(schedule: Json) -> list[Json]:
    """Return the phases that are still to come."""
    start = schedule["current_phase"]["start_date"]
    return [phase for phase in schedule["phases"] if phase["start_date"] > start]


def set_next_step(schedule: Json, now: int) -> None:
    """Write down when the schedule's phase ends, or when it is told that the last one will."""
    if schedule["status"] != "active":
        schedule |= {"_next_step_at": None, "_expiring_at": None}
        return
    notice = None if phases_after(schedule) else schedule["phases"][-1]["end_date"] - EXPIRING_SECONDS
    if schedule["_expiring_at"] != -1:
        schedule["_expiring_at"] = notice if notice is not None and notice > now else None
    times = [
        at for at in (schedule["current_phase"]["end_date"], schedule["_expiring_at"]) if at is not None and at > 0
    ]
    schedule["_next_step_at"] = min(times)
