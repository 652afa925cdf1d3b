"""What a client wants of a subscription, as the inputs of the API say it."""

from __future__ import annotations

from collections.abc import Sequence

from app.billing.subscriptions.planner import WantedChange
from app.catalog import BillingInterval
from app.errors import InvalidInput


def wanted_change(
    plan_code: str | None,
    interval: BillingInterval | None,
    seats: int | None,
    add_ons: Sequence[tuple[str, int]] | None,
) -> WantedChange:
    """The change that an input asks for; `add_ons` are (code, quantity). Raises `InvalidInput` for an add-on named twice."""
    quantities = dict(add_ons) if add_ons is not None else None
    if add_ons is not None and len(dict(add_ons)) < len(add_ons):
        raise InvalidInput("An add-on is named twice.", path=("input", "addOns"))
    return WantedChange(plan_code, interval, seats, quantities)
