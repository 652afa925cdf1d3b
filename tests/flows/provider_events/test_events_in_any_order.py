"""Whatever becomes of the provider's events on their way, everything ends as if each had been told as it happened."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.provider_events.stories import STORIES, Customer, Event, Story, report, somebody
from tests.support.running_backend import RunningBackend

Ending: TypeAlias = dict[str, Any]

each_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
examples = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# longer than anything is left alone: a payment waits half an hour for its holder
_EVERYTHING_IS_DUE = "PT31M"


@pytest.fixture(scope="session")
def usual_endings() -> dict[tuple[str, str], Ending]:
    """How stories end with each catalog, as far as this worker has found out."""
    return {}


@pytest_asyncio.fixture
async def usual(backend: RunningBackend, story: Story, usual_endings: dict[tuple[str, str], Ending]) -> Ending:
    """How a story ends when each event is told as it happens."""
    which = backend.catalog, story.name
    if which not in usual_endings:
        usual_endings[which] = await _told_as_it_happens(backend, story)
    return usual_endings[which]


async def _told_as_it_happens(backend: RunningBackend, story: Story) -> Ending:
    customer = await somebody(backend)
    await backend.sandbox.deliver("drop")
    for step in story.steps:
        await step(customer)
        for event in await customer.news():
            await report(backend, event)
    await backend.advance(_EVERYTHING_IS_DUE)
    return await customer.ending()


async def _told(backend: RunningBackend, story: Story, chance: Random, fates: list[str]) -> Customer:
    """What happens is told in any order, a part of it before the next thing happens, and each event has one of `fates`."""
    customer = await somebody(backend)
    await backend.sandbox.deliver("drop")
    steps, waiting = list(story.steps), list[Event]()
    while steps or waiting:
        if steps and (not waiting or chance.random() < 0.4):
            await steps.pop(0)(customer)
            waiting += await customer.news()
            continue
        event = waiting.pop(chance.randrange(len(waiting)))
        fate = chance.choice(fates)
        if fate == "twice at once":
            await asyncio.gather(report(backend, event), report(backend, event))
        elif fate == "twice":
            waiting.append(event)
            await report(backend, event)
            fates = [each for each in fates if each != "twice"]
        elif fate == "a day later" and not steps:
            await backend.advance("P1D")
            fates = [each for each in fates if each != "a day later"]
            await report(backend, event)
        elif fate != "lost":
            assert (await report(backend, event)).status_code == 200
    await backend.advance(_EVERYTHING_IS_DUE)
    return customer


@each_story
@examples
@given(chance=st.randoms(use_true_random=False))
async def test_events_told_twice_and_in_any_order_end_the_same(
    backend: RunningBackend, story: Story, usual: Ending, chance: Random
) -> None:
    customer = await _told(backend, story, chance, ["once", "once", "twice", "twice at once"])

    assert await customer.ending() == usual


@pytest.mark.parametrize("story", [each for each in STORIES if each.buys], ids=lambda story: story.name)
@examples
@given(chance=st.randoms(use_true_random=False))
async def test_events_lost_or_told_a_day_late_leave_purchases_and_balances_the_same(
    backend: RunningBackend, story: Story, usual: Ending, chance: Random
) -> None:
    customer = await _told(backend, story, chance, ["once", "twice", "lost", "lost", "a day later"])

    assert await customer.ending() | {"cards": usual["cards"]} == usual


@pytest.mark.catalogs("analytics", "compute")
@pytest.mark.parametrize("mode", ["normal", "duplicate", "shuffle", "hold", "drop"])
@each_story
async def test_events_end_the_same_however_the_provider_delivers_them(
    backend: RunningBackend, story: Story, usual: Ending, mode: str
) -> None:
    customer = await somebody(backend)
    await backend.sandbox.deliver(mode)

    for step in story.steps:
        await step(customer)
    await backend.sandbox.flush()
    await backend.advance(_EVERYTHING_IS_DUE)

    lost = {"cards": usual["cards"]} if mode == "drop" else {}
    assert await customer.ending() | lost == usual
