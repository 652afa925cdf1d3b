"""Servers killed at every point of every scenario with every catalog: what is then true of the money."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from _pytest.mark.structures import ParameterSet

from tests.crash.customer import Customer, new_customer
from tests.crash.endings import money_is_right
from tests.crash.environment import Environment
from tests.crash.environments import Environments
from tests.crash.scenarios import SCENARIOS, Scenario, is_passed_once
from tests.crash.steps import close_pages

CATALOGS = ("analytics", "compute", "messaging")

# Every point is struck in every run. Scenarios in which the catalogs differ are run with each of them, and the others with one
# catalog after the other, unless this is set: then everything is.
_EVERYTHING = "CRASH_MATRIX"

_ANSWERS_WITHIN_SECONDS = 0.2


def _scenarios() -> Iterator[ParameterSet]:
    """Every scenario with every catalog; those of one catalog come together, since they share an environment."""
    for catalog in CATALOGS:
        for scenario in SCENARIOS:
            yield pytest.param(scenario, catalog, id=f"{scenario.name}-{catalog}")


def _strikes() -> Iterator[ParameterSet]:
    """Every point with the catalogs it is struck in; those of one catalog come together, since they share an environment."""
    places = [(scenario, point) for scenario in SCENARIOS for point in scenario.points]
    for turn, catalog in enumerate(CATALOGS):
        for place, (scenario, point) in enumerate(places):
            if scenario.in_each_catalog or place % len(CATALOGS) == turn or os.environ.get(_EVERYTHING):
                yield pytest.param(catalog, scenario, point, id=f"{catalog}-{scenario.name}-{point}")


@pytest.mark.parametrize(("scenario", "catalog"), list(_scenarios()))
async def test_every_point_of_a_scenario_is_listed(
    environments: Environments, scenario: Scenario, catalog: str
) -> None:
    async with environments.environment(catalog) as environment:
        customer = await _somebody(environment, scenario, begins_anew=any(map(is_passed_once, scenario.points)))
        environment.points.forget()

        await scenario.act(customer)
        if not scenario.in_order:
            await environment.everything_is_told()

        listed = list(scenario.points) if scenario.in_order else sorted(scenario.points)
        passed = scenario.passed(environment.points.passed)
        assert passed == listed, "\n".join(passed)
        await _leaves(customer)


@pytest.mark.parametrize(("catalog", "scenario", "point"), list(_strikes()))
async def test_killed_anywhere_a_purchase_is_charged_and_credited_once_or_not_at_all(
    environments: Environments, catalog: str, scenario: Scenario, point: str
) -> None:
    async with environments.environment(catalog) as environment:
        customer = await _somebody(environment, scenario, begins_anew=is_passed_once(point), strike_at=point)
        await customer.attempt(scenario.act)
        await environment.was_struck()

        await environment.start()
        await _done_again(customer, scenario)
        await _comes_to_rest(environment)

        await scenario.then(customer, point)
        await money_is_right(customer)
        await close_pages(customer)


async def _somebody(
    environment: Environment, scenario: Scenario, *, begins_anew: bool, strike_at: str | None = None
) -> Customer:
    """A new customer with whom everything has happened that is given, and a server that runs, or is ended in its start."""
    customer = await new_customer(environment)
    for step in scenario.given:
        await step(customer)
    if begins_anew:
        await environment.stop()
    if strike_at is not None:
        environment.strike_at(strike_at)
    if not environment.is_running:
        await environment.start()
    return customer


async def _done_again(customer: Customer, scenario: Scenario) -> None:
    """Whoever acted does so again at once; while they wait for an answer, time passes and the reconciler works."""
    environment = customer.environment
    waits = await customer.has_unsettled_purchase()
    again = asyncio.create_task(scenario.act(customer))
    if waits:
        # the answer comes once the purchase that was left is settled: from when it is waited for, time passes
        await environment.until(lambda passed: again.done() or "recharge.asked-again" in passed)
    while not (await asyncio.wait([again], timeout=_ANSWERS_WITHIN_SECONDS))[0]:
        await environment.advance("PT2M")
    await again


async def _comes_to_rest(environment: Environment) -> None:
    """Everything at the provider is told, and everything left behind is looked after."""
    await environment.everything_is_told()
    await environment.advance("PT2M")
    await environment.everything_is_told()


async def _leaves(customer: Customer) -> None:
    """What the customer left open lapses, so that it does not fall due while another one acts."""
    await customer.environment.advance("PT32M")
    await customer.environment.everything_is_told()
    await close_pages(customer)
