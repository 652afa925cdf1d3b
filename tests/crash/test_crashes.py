"""Servers killed at every point of every scenario with every catalog: what is then true of the money."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from _pytest.mark.structures import ParameterSet

from tests.crash.customer import Customer, new_customer
from tests.crash.environment import Environment
from tests.crash.environments import Environments
from tests.crash.scenario import CATALOGS, Scenario, is_passed_once
from tests.crash.scenarios import SCENARIOS

# Every point that leaves behind what no other does is struck in every run. Scenarios in which the catalogs differ are run with each
# of them, and the others with one catalog after the other, unless this is set: then every point is struck with every catalog.
_EVERYTHING = "CRASH_MATRIX"

# longer than any answer takes that nobody has to be waited for
_ANSWERS_WITHIN_SECONDS = 2.0


def _scenarios() -> Iterator[ParameterSet]:
    """Every scenario with the catalogs it is run in; those of one catalog come together, since they share an environment."""
    for catalog in CATALOGS:
        for place, scenario in enumerate(SCENARIOS):
            if _is_run(scenario, catalog, place):
                yield pytest.param(scenario, catalog, id=f"{scenario.name}-{catalog}")


def _strikes() -> Iterator[ParameterSet]:
    """Every point with the catalogs it is struck in; those of one catalog come together, since they share an environment."""
    is_all = bool(os.environ.get(_EVERYTHING))
    places = [(scenario, point) for scenario in SCENARIOS for point in (scenario.points if is_all else scenario.struck)]
    for catalog in CATALOGS:
        for place, (scenario, point) in enumerate(places):
            if _is_run(scenario, catalog, place):
                yield pytest.param(catalog, scenario, point, id=f"{catalog}-{scenario.name}-{point}")


def _is_run(scenario: Scenario, catalog: str, place: int) -> bool:
    """Whether what has this place in a list is run with a catalog."""
    if catalog not in scenario.catalogs:
        return False
    is_its_turn = place % len(scenario.catalogs) == scenario.catalogs.index(catalog)
    return is_its_turn or scenario.in_each_catalog or bool(os.environ.get(_EVERYTHING))


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
        await _leaves(customer, scenario)


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
        await scenario.at_rest(customer)
        await scenario.leaves(customer)


async def _somebody(
    environment: Environment, scenario: Scenario, *, begins_anew: bool, strike_at: str | None = None
) -> Customer:
    """A new customer with whom everything has happened that is given, and a server that runs, or is ended in its start."""
    customer = await new_customer(environment)
    for step in scenario.given:
        await step(customer)
    if environment.is_running:
        await environment.jobs_are_done()
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
    waits = await customer.waits()
    again = asyncio.create_task(scenario.act(customer))
    if await customer.has_unsettled_purchase():
        # the answer comes once the purchase that was left is settled: from when it is waited for, time passes
        await environment.until(lambda passed: again.done() or "recharge.asked-again" in passed)
    if waits and not again.done():
        await environment.advance("PT2M")
    while not (await asyncio.wait([again], timeout=_ANSWERS_WITHIN_SECONDS))[0]:
        await environment.advance("PT2M")
    await again


async def _comes_to_rest(environment: Environment) -> None:
    """Everything at the provider is told, and everything left behind is looked after."""
    await environment.everything_is_told()
    await environment.advance("PT2M")
    await environment.everything_is_told()


async def _leaves(customer: Customer, scenario: Scenario) -> None:
    """What the customer left open lapses, so that it does not fall due while another one acts."""
    await customer.environment.advance("PT32M")
    await customer.environment.everything_is_told()
    await scenario.leaves(customer)
