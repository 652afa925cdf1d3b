"""What servers are killed at while usage is counted and paid for."""

from __future__ import annotations

from typing import Final

from tests.crash import steps, usage_steps
from tests.crash.scenario import Scenario, commits

USAGE_SCENARIOS: Final = (
    Scenario(
        "usage past the plan",
        (steps.somebody_without_cards, usage_steps.somebody_with_a_few_credits),
        usage_steps.reports,
        commits("usage.count", "usage.pay"),
        usage_steps.is_counted_and_paid_once,
        in_order=True,
        catalogs=("analytics",),
        # owners are told of their limits meanwhile
        beside=("usage.warn",),
    ),
)
