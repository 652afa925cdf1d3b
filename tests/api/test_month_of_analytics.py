"""A month of a customer of `analytics`: to the limit and past it, another plan in the middle, and a clean start of the next."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.support.previews import jump_to
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import change_plan, codes, subscribe
from tests.support.usage import usage_shown, use

# enrichments that the plans include in a month, and the tokens that one past them costs
PERSONAL, TEAM = 1_000, 10_000
PRICE = 500


async def _bar(backend: RunningBackend, person: Person) -> dict[str, Any]:
    return (await usage_shown(backend, person.workspace, person.token))["bars"]["enrichments"]


async def test_a_month_of_analytics(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.advance("PT1M")
    await subscribe(backend, person, "personal")
    await backend.grant(person, str(200 * PRICE))
    shown = await usage_shown(backend, person.workspace, person.token)
    start, end = (datetime.fromisoformat(shown["period"][name]) for name in ("start", "end"))

    levels: list[str] = []
    for quantity in (PERSONAL * 79 // 100, PERSONAL // 100, PERSONAL * 20 // 100):
        await use(backend, person.workspace, quantity)
        levels.append((await _bar(backend, person))["level"])
    assert levels == ["NORMAL", "WARNING", "EXCEEDED"]
    await use(backend, person.workspace, PERSONAL * 30 // 100)

    # 300 past the plan, of which credits pay for 200
    bar = await _bar(backend, person)
    assert [Decimal(bar[name]) for name in ("used", "overage", "creditsSpent", "unpaidOverage")] == [
        *(1_300, 300, 200 * PRICE, 100)
    ]
    assert (Decimal(bar["limit"]), Decimal(bar["remaining"]), bar["ratio"]) == (PERSONAL, 0, 1.3)

    await jump_to(backend, start + (end - start) / 2)
    assert codes(await change_plan(backend, person, "team", seats=2)) == []
    bar = await _bar(backend, person)
    left = Decimal(bar["remaining"])
    # about half of what Team has more, counted from what was used
    assert Decimal(bar["limit"]) == 1_300 + left
    assert math.floor((TEAM - PERSONAL) * 0.49) < left <= (TEAM - PERSONAL) // 2 + 1
    await use(backend, person.workspace, left)
    bar = await _bar(backend, person)
    assert (Decimal(bar["overage"]), bar["level"]) == (300, "EXCEEDED")

    await jump_to(backend, end + timedelta(hours=2))
    bar = await _bar(backend, person)
    assert [Decimal(bar[name]) for name in ("used", "limit", "overage", "creditsSpent")] == [0, TEAM, 0, 0]
    # what happened in the month before still belongs to it
    await use(backend, person.workspace, 5, occurredAt=(end - timedelta(seconds=1)).isoformat())
    await use(backend, person.workspace, 7, occurredAt=end.isoformat())
    bar = await _bar(backend, person)
    assert (Decimal(bar["used"]), [Decimal(point["used"]) for point in bar["series"]]) == (7, [7])
