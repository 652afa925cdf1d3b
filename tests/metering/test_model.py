"""Random events, plans and days: bars, credits and history agree with a plain model, thousands of steps."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from app.accounts.access.audit_log import OPERATOR
from app.billing.subscriptions import given_plans
from app.db.unit_of_work import transact
from app.metering.usage_events import UsageEvent
from tests.metering.model import INCLUDED, RESOURCES, Model
from tests.metering.workspace import Metered
from tests.support.subscriptions import choice_of

_STEPS = 150
_PAID = ("personal", "team", "enterprise")
_SUBJECTS = (None, None, "ada", "bob")


@pytest.mark.parametrize("seed", range(8))
async def test_bars_credits_and_history_agree_with_a_plain_model(metered: Metered, seed: int) -> None:
    source = random.Random(seed)
    model, sent = Model(metered.clock.moment), list[UsageEvent]()
    for _ in range(_STEPS):
        await _step(source, metered, model, sent)
        await _agrees(metered, model)
    assert len(model.known) > _STEPS
    history = await metered.spends()
    assert -sum(spend.amount for spend in history) == sum(each.charged for each in model.counters.values())


async def _step(source: random.Random, metered: Metered, model: Model, sent: list[UsageEvent]) -> None:
    kind = source.random()
    if kind < 0.1:
        metered.clock.moment += timedelta(microseconds=source.randint(1, 20 * 86_400 * 10**6))
    elif kind < 0.2:
        steps = source.randint(1, 200_000)
        await metered.grant(steps)
        model.credits += steps
    elif kind < 0.3:
        await _change_plan(source, metered, model)
    else:
        await _report(source, metered, model, sent)


async def _change_plan(source: random.Random, metered: Metered, model: Model) -> None:
    plan = source.choice([each for each in ("free", *_PAID) if each != model.plan])
    if plan == "free":
        await transact(
            metered.database,
            lambda session: given_plans.end(session, metered.catalog, metered.id, actor=OPERATOR),
        )
    else:
        choice = choice_of(metered.catalog, plan, 2, None)
        await transact(
            metered.database,
            lambda session: given_plans.give(session, metered.catalog, metered.id, choice, actor=OPERATOR),
        )
    model.change_plan(plan, metered.clock.moment)


async def _report(source: random.Random, metered: Metered, model: Model, sent: list[UsageEvent]) -> None:
    now = metered.clock.moment
    batch: list[UsageEvent] = []
    for _ in range(source.randint(1, 5)):
        if sent and source.random() < 0.2:
            # again, with another content: the first one stands
            batch.append(replace(source.choice(sent), quantity=Decimal(source.randint(-5, 5)), occurred_at=None))
        else:
            batch.append(_event(source, metered, model, now))
    sent += batch
    outcomes = [model.record(event, now) for event in batch]

    recorded = await metered.record(*batch)

    assert recorded.accepted == outcomes.count("counted")
    assert recorded.duplicates == outcomes.count("known")
    assert [each.index for each in recorded.rejected] == [
        index for index, outcome in enumerate(outcomes) if outcome == "refused"
    ]


def _event(source: random.Random, metered: Metered, model: Model, now: datetime) -> UsageEvent:
    resource = source.choice(RESOURCES)
    included = INCLUDED[model.plan][resource] or 1_000
    quantity = Decimal(source.randint(0, included * 4)) / source.choice((1, 4, 10, 1_000))
    at = now - timedelta(seconds=source.choice((0, 0, 1, -200, 86_400 * source.randint(1, 33))))
    return metered.event(quantity, resource, at=max(at, model.created_at), subject=source.choice(_SUBJECTS))


async def _agrees(metered: Metered, model: Model) -> None:
    for resource in RESOURCES:
        for row in await metered.counters(resource):
            counter = model.counters[row.period_start, resource]
            found = row.used, row.allowance, row.overage, row.charged
            assert found == (counter.used, counter.allowance, counter.overage, counter.charged)
            # kept with nine digits, and short credits leave fractions
            assert abs(Fraction(row.unpaid) - counter.unpaid) < Fraction(1, 10**6)
        days = await metered.days(resource)
        assert sum(days.values()) == sum(each.used for (_, name), each in model.counters.items() if name == resource)
    assert await metered.available() == model.credits
    assert {name: used for name, (used, _) in (await metered.by_subject()).items()} == model.by_subject
