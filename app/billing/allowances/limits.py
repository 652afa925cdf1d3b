"""What a plan includes of a resource, and what a change of plan does to it in a period that is running.

Pure, and exact: quantities are decimals, and shares of time are fractions of whole microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from app.billing.allowances.usage_periods import Anchored, UsagePeriod, last_month
from app.catalog import Catalog, Plan, Resource
from app.money import EXACT

_NOTHING: Final = Decimal(0)
_MICROSECOND: Final = timedelta(microseconds=1)


class Limit(NamedTuple):
    """What is included of a resource, None without a limit, and what a unit past it costs in steps of the credit unit.

    The price may be a fraction of a step; None: credits can't pay.
    """

    allowance: Decimal | None
    price: Decimal | None


class Counted(NamedTuple):
    """What is known of a counter in a period; see `UsageCounterRow`."""

    used: Decimal
    allowance: Decimal | None
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class PlanChange:
    """That a workspace is on another plan from a time on."""

    before: Plan
    after: Plan
    at: datetime


def limit_of(catalog: Catalog, plan: Plan, resource: str) -> Limit:
    """What a plan includes of a resource in a whole period; nothing of one that it doesn't know."""
    found = plan.allowance(resource)
    if found is None:
        return Limit(_NOTHING, None)
    price = found.credits_per_unit
    return Limit(found.limit, price.scaleb(catalog.credit_unit.decimals, EXACT) if price is not None else None)


def counters(catalog: Catalog) -> list[Resource]:
    """The resources whose use is counted anew in each period."""
    return [resource for resource in catalog.resources if not resource.is_gauge]


def moved(
    catalog: Catalog,
    workspace: Anchored,
    period: UsagePeriod,
    resource: str,
    counted: Counted | None,
    change: PlanChange,
) -> Limit:
    """The limit of a counter in a period after a change of plan; `counted` is None where nothing is known of it yet.

    A period that ended before the change keeps its limit. In any other a limit that rises does so by the share of the period that
    is left, counted from what was used where that is more than was included; one that falls is that of the plan after.
    """
    old, new = limit_of(catalog, change.before, resource), limit_of(catalog, change.after, resource)
    used = counted.used if counted is not None else _NOTHING
    present = Limit(counted.allowance, counted.price) if counted is not None else old
    if change.at >= period.end:
        return present
    if old.allowance == new.allowance:
        return Limit(present.allowance, new.price)
    if new.allowance is None or old.allowance is None or present.allowance is None or new.allowance < old.allowance:
        return new
    added = EXACT.subtract(new.allowance, old.allowance)
    gained = _share(added, change.at, period, last_month(workspace, period))
    return Limit(EXACT.add(max(present.allowance, used), gained), new.price)


def limits_now(
    catalog: Catalog,
    workspace: Anchored,
    period: UsagePeriod,
    present: Plan,
    counted: Mapping[str, Counted],
    *,
    unwritten: PlanChange | None = None,
) -> dict[str, Limit]:
    """The limit of each resource in the period that is running, by its code.

    `counted` is what is kept of the counters of the period. `unwritten` is the change to the present plan where nobody has written
    down yet what it did to them.
    """
    limits = {resource.code: limit_of(catalog, present, resource.code) for resource in catalog.resources}
    for resource in counters(catalog):
        code, kept = resource.code, counted.get(resource.code)
        if unwritten is not None:
            limits[code] = moved(catalog, workspace, period, code, kept, unwritten)
        elif kept is not None:
            limits[code] = Limit(kept.allowance, kept.price)
    return limits


def _share(added: Decimal, at: datetime, period: UsagePeriod, month: datetime) -> Decimal:
    """What of an addition per month counts from a time on, in whole units up; in a lengthened period that may be more than it."""
    left, whole = (period.end - max(at, period.start)) // _MICROSECOND, (period.end - month) // _MICROSECOND
    share = Decimal(math.ceil(Fraction(added) * Fraction(left, whole)))
    return share if left > whole else min(added, share)
