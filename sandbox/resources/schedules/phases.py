"""The parameter `phases`: what a schedule's phases are from now on."""

from __future__ import annotations

from typing import Any

from sandbox.errors import invalid_request, missing_param
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.resources.products.prices import get_price_to_sell
from sandbox.resources.schedules.schedule_object import new_phase, phase_item
from sandbox.resources.subscriptions.items import check_together, tax_rates_from_param
from sandbox.resources.subscriptions.periods import interval, shifted
from sandbox.store import Transaction

MAX_PHASES = 10


async def phases_from_params(tx: Transaction, schedule: Json, given: list[Json]) -> list[Json]:
    """Return the phases that the parameter describes: the past ones as they were, then the current one and those after it.

    Raises StripeError unless they begin with the current phase, unchanged in its start, and follow one another.
    """
    if not given:
        raise missing_param("phases")
    if len(given) > MAX_PHASES:
        raise invalid_request(f"A schedule can have up to {MAX_PHASES} current and future phases.", param="phases")
    current_start = schedule["current_phase"]["start_date"]
    past = [phase for phase in schedule["phases"] if phase["start_date"] < current_start]
    past_starts = {phase["start_date"] for phase in past}
    given = [entry for entry in given if entry.get("start_date") not in past_starts]
    phases: list[Json] = []
    for place, entry in enumerate(given):
        param = f"phases[{place}]"
        start = _start(entry, phases, current_start, param)
        phase = await _phase(tx, entry, start, param)
        if phase["end_date"] <= max(start, tx.now if place == 0 else start):
            raise invalid_request("The end date of a phase must be after its start and in the future.", param=param)
        phases.append(phase)
    return past + phases


def _start(entry: Json, phases: list[Json], current_start: int, param: str) -> int:
    expected: int = phases[-1]["end_date"] if phases else current_start
    start = entry.get("start_date", expected if phases else None)
    if start is None:
        raise missing_param(f"{param}[start_date]")
    if start != expected:
        reason = (
            "You can not modify the start date of the current phase."
            if not phases
            else "The start of a phase must be the end of the one before it."
        )
        raise invalid_request(reason, param=f"{param}[start_date]")
    return expected


async def _phase(tx: Transaction, entry: Json, start: int, param: str) -> Json:
    items = [await _item(tx, item, f"{param}[items][{place}]") for place, item in enumerate(entry.get("items", []))]
    if not items:
        raise missing_param(f"{param}[items]")
    prices = [await tx.get("price", item["price"]) for item in items]
    check_together([{"price": price} for price in prices])
    phase = new_phase(start, _end(tx, entry, start, param), items)
    phase |= {
        "billing_cycle_anchor": entry.get("billing_cycle_anchor"),
        "currency": prices[0]["currency"],
        "default_payment_method": entry.get("default_payment_method"),
        "default_tax_rates": await tax_rates_from_param(
            tx, entry.get("default_tax_rates"), f"{param}[default_tax_rates]"
        ),
        "description": entry.get("description") or None,
        "metadata": merge_metadata({}, entry.get("metadata")),
        "proration_behavior": entry.get("proration_behavior", "create_prorations"),
        "_sets_tax_rates": "default_tax_rates" in entry,
    }
    return phase


async def _item(tx: Transaction, given: Json, param: str) -> Json:
    if "price" not in given:
        raise missing_param(f"{param}[price]")
    price = await get_price_to_sell(tx, given["price"], f"{param}[price]")
    if price["type"] != "recurring":
        raise invalid_request("The price of a phase's item must be recurring.", param=f"{param}[price]")
    quantity: int = given.get("quantity", 1)
    if quantity < 0:
        raise invalid_request("Invalid non-negative integer", param=f"{param}[quantity]")
    rates = await tax_rates_from_param(tx, given.get("tax_rates"), f"{param}[tax_rates]")
    return phase_item(price["id"], quantity, rates, merge_metadata({}, given.get("metadata")))


def _end(tx: Transaction, entry: Json, start: int, param: str) -> int:
    """Return when a phase ends: at its `end_date`, or its `duration` after its start."""
    if ("end_date" in entry) == ("duration" in entry):
        raise invalid_request("You must specify exactly one of end_date and duration.", param=f"{param}[end_date]")
    end: Any = entry.get("end_date")
    if end == "now":
        return tx.now
    if end is not None:
        return int(end)
    duration = entry["duration"]
    every = interval(duration["interval"], duration.get("interval_count", 1))
    return shifted(start, every, start)
