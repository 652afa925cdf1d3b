"""The usage that the billing page shows: four bars in a month that has run for 25 days, and two years of other months behind it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import text

from app.billing.allowances.usage_periods import months_after, usage_period
from app.catalog import Catalog, Plan
from app.db.engine import Session

USAGE: Final = """usage {
      id period { start end } version
      bars {
        id resource { code name } used limit remaining ratio level overage creditsSpent unpaidOverage resetsAt series { day used }
      }
    }"""

ResourceFacts: TypeAlias = "tuple[str, str, bool, str | None]"
"""Code and name of a resource, whether it is a gauge, and the plan's limit, None without one."""

_RUNS_FOR: Final = timedelta(days=25)
_MONTHS_BEHIND: Final = 24

# what is added a day, or the level then; every week a day is left out
_DAYS: Final = (
    "INSERT INTO usage_days (workspace_id, period_start, resource, day, used)"
    " SELECT :id, :start, r.resource, d.day, r.used + 1000 * extract(day FROM d.day)"
    " FROM (VALUES ('sessions', 1234), ('events', 170001), ('enrichments', 480.25), ('storage', 96000000000)) r (resource, used)"
    " CROSS JOIN generate_series(cast(:first AS date), cast(:last AS date), '1 day') d (day)"
    " WHERE extract(dow FROM d.day) <> extract(dow FROM cast(:first AS date))"
)
_COUNTERS: Final = (
    "INSERT INTO usage_counters"
    " (workspace_id, period_start, resource, period_end, used, allowance, price, overage, unpaid, owed, charged)"
    " SELECT :id, :start, d.resource, :end, sum(d.used), r.allowance, r.price, greatest(sum(d.used) - r.allowance, 0),"
    " CASE WHEN sum(d.used) > r.allowance THEN 45.5 ELSE 0 END, 15000, CASE WHEN r.price > 0 THEN 15000 ELSE 0 END"
    " FROM usage_days d JOIN (VALUES ('sessions', 500000, NULL), ('events', 5000000, NULL), ('enrichments', 10000, 500))"
    " r (resource, allowance, price) ON r.resource = d.resource"
    " WHERE d.workspace_id = :id AND d.period_start = :start GROUP BY d.resource, r.allowance, r.price"
)
_STATE: Final = (
    "INSERT INTO usage_states (workspace_id, version, terms_id, turns_at) VALUES (:id, 4711, :terms, :end)",
    "INSERT INTO usage_gauges (workspace_id, resource, level) VALUES (:id, 'storage', 96500000000)",
)


class _Made(NamedTuple):
    created_at: datetime
    usage_anchor: datetime | None = None
    usage_anchored_at: datetime | None = None


def resource_facts(catalog: Catalog, plan: Plan) -> list[ResourceFacts]:
    """What bars show of the catalog, in its order."""
    facts: list[ResourceFacts] = []
    for resource in catalog.resources:
        included = plan.allowance(resource.code)
        limit = format(included.limit, "f") if included is not None and included.limit is not None else None
        facts.append((resource.code, resource.name, resource.is_gauge, limit))
    return facts


def made_at(now: datetime) -> datetime:
    """When a workspace was made whose month has run for 25 days by now."""
    return months_after(now - _RUNS_FOR, -_MONTHS_BEHIND)


async def fill_usage(session: Session, workspace_id: UUID, terms_id: str | None) -> None:
    """Usage of each resource in each month of a workspace that was made at `made_at`."""
    now = session.now
    workspace = _Made(made_at(now))
    running = usage_period(workspace, now)
    state = {"id": workspace_id, "terms": terms_id, "end": running.end}
    for statement in _STATE:
        await session.execute(text(statement), {name: state[name] for name in state if f":{name}" in statement})
    for number in range(_MONTHS_BEHIND + 1):
        period = usage_period(workspace, months_after(running.start, -number))
        last = min(period.end, now)
        given = {"id": workspace_id, "start": period.start}
        await session.execute(text(_DAYS), {**given, "first": _day(period.start), "last": _day(last)})
        await session.execute(text(_COUNTERS), {**given, "end": period.end})


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
