"""Servers killed at every point of every scenario with every catalog: what is then true of the money."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from _pytest.mark.structures import ParameterSet

from tests.crash.endings import money_is_right
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.world import World
from tests.crash.worlds import Worlds

CATALOGS = ("analytics", "compute", "messaging")

# Every point is struck in every run. Scenarios in which the catalogs differ are run with each of them, and the others with one
# catalog after the other, unless this is set: then everything is.
_EVERYTHING = "CRASH_MATRIX"

_ANSWERS_WITHIN_SECONDS = 0.5


def _strikes() -> Iterator[ParameterSet]:
    """Every point with the catalogs it is struck in; those of one world come together, since it is prepared once a worker."""
    places = [(scenario, point) for scenario in SCENARIOS for point in scenario.points]
    for turn, catalog in enumerate(CATALOGS):
        for place, (scenario, point) in enumerate(places):
            if scenario.in_each_catalog or place % len(CATALOGS) == turn or os.environ.get(_EVERYTHING):
                yield pytest.param(catalog, scenario, point, id=f"{catalog}-{scenario.name}-{point}")


@pytest.mark.parametrize("catalog", CATALOGS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_every_point_of_a_scenario_is_listed(worlds: Worlds, catalog: str, scenario: Scenario) -> None:
    async with worlds.world(catalog, scenario.given) as world:
        await world.start()

        await scenario.act(world)
        if not scenario.in_order:
            await world.everything_is_told()

        listed = list(scenario.points) if scenario.in_order else sorted(scenario.points)
        passed = scenario.passed(world.points())
        assert passed == listed, "\n".join(passed)


@pytest.mark.parametrize(("catalog", "scenario", "point"), _strikes())
async def test_killed_anywhere_a_purchase_is_charged_and_credited_once_or_not_at_all(
    worlds: Worlds, catalog: str, scenario: Scenario, point: str
) -> None:
    async with worlds.world(catalog, scenario.given) as world:
        await world.start(strike_at=point)
        await world.attempt(scenario.act)
        await world.was_struck()

        await world.start()
        await _done_again(world, scenario)
        await _comes_to_rest(world)

        await scenario.then(world, point)
        await money_is_right(world)


async def _done_again(world: World, scenario: Scenario) -> None:
    """Whoever acted does so again at once; while they wait for an answer, time passes and the reconciler works."""
    again = asyncio.create_task(scenario.act(world))
    while not (await asyncio.wait([again], timeout=_ANSWERS_WITHIN_SECONDS))[0]:
        await world.advance("PT2M")
    await again


async def _comes_to_rest(world: World) -> None:
    """Everything at the provider is told, and everything left behind is looked after."""
    await world.everything_is_told()
    await world.advance("PT2M")
    await world.everything_is_told()
