"""Changes as they are planned, and refused."""

from __future__ import annotations

import pytest

from app.billing.subscriptions.goals import Goal
from app.billing.subscriptions.plan_choice import PlanChoice
from app.billing.subscriptions.planner import ChangeTiming, PlannedChange, WantedChange, plan_change, plan_start
from app.catalog import Catalog
from app.error_codes import ErrorCode
from app.errors import DomainError
from tests.billing.subscriptions.choices import ANALYTICS, MESSAGING, choice

TEAM_5 = choice(ANALYTICS, "team", 5)
STARTER_4 = choice(MESSAGING, "starter", 4, phone_numbers=2)
ENDS = PlannedChange(Goal(None, ends=True), ChangeTiming.PERIOD_END, None)


def planned(
    wanted: WantedChange,
    present: PlanChoice = TEAM_5,
    catalog: Catalog = ANALYTICS,
    *,
    used: int = 1,
    pending: Goal | None = None,
) -> PlannedChange:
    return plan_change(catalog, present, wanted, used_seats=used, pending=pending)


def refusal(
    wanted: WantedChange,
    present: PlanChoice = TEAM_5,
    catalog: Catalog = ANALYTICS,
    *,
    used: int = 1,
    pending: Goal | None = None,
) -> tuple[ErrorCode, str, str | None]:
    """Code, message and the input at fault."""
    with pytest.raises(DomainError) as caught:
        planned(wanted, present, catalog, used=used, pending=pending)
    return _told(caught.value)


def start_refusal(
    wanted: WantedChange, catalog: Catalog = ANALYTICS, *, used: int = 1
) -> tuple[ErrorCode, str, str | None]:
    with pytest.raises(DomainError) as caught:
        plan_start(catalog, wanted, used_seats=used)
    return _told(caught.value)


def _told(error: DomainError) -> tuple[ErrorCode, str, str | None]:
    return error.code, error.message, error.path[1] if error.path else None


def at_once(result: PlanChoice) -> PlannedChange:
    return PlannedChange(Goal(result), ChangeTiming.IMMEDIATE, result)


def at_the_end(result: PlanChoice) -> PlannedChange:
    return PlannedChange(Goal(None, later=result), ChangeTiming.PERIOD_END, result)


def mixed(now: PlanChoice, later: PlanChoice) -> PlannedChange:
    return PlannedChange(Goal(now, later=later), ChangeTiming.MIXED, later)
