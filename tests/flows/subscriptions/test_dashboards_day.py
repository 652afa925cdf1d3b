"""A day of the seller's staff in Stripe's dashboard, in random order beside what the customer does in the product.

Each does what they may do, also at the same moment. At the end nothing is stuck, what is shown is what Stripe bills, what was
charged is what paid invoices say, and the workspace can change its plan.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import httpx
import pytest

from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    keep,
    open_page,
    pay_page,
    phone_numbers,
    set_phone_numbers,
    stripe_subscriptions,
    subscription,
)
from tests.support.teams import accept, invited, new_team

pytestmark = pytest.mark.catalogs("messaging")

_ROUNDS: Final = 7
_ENDED: Final = ("canceled", "incomplete_expired")

Staff: TypeAlias = "Callable[[RunningBackend, dict[str, Any], random.Random], Awaitable[object]]"
Action: TypeAlias = "Callable[[RunningBackend, Person, random.Random], Awaitable[object]]"


async def _live(backend: RunningBackend, owner: Person) -> list[dict[str, Any]]:
    return [each for each in await stripe_subscriptions(backend, owner) if each["status"] not in _ENDED]


# what staff do


async def _sets_seats(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    item = live["items"]["data"][0]
    changed = {"items[0][id]": item["id"], "items[0][quantity]": str(chance.randint(1, 9))}
    behavior = chance.choice(["none", "create_prorations", "always_invoice"])
    await backend.sandbox.post(f"/v1/subscriptions/{live['id']}", **changed, proration_behavior=behavior)


async def _lets_it_end(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    await backend.sandbox.post(f"/v1/subscriptions/{live['id']}", cancel_at_period_end="true")


async def _lets_it_go_on(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    await backend.sandbox.post(f"/v1/subscriptions/{live['id']}", cancel_at_period_end="false")


async def _ends_it(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    if chance.random() < 0.3:
        await backend.sandbox.delete(f"/v1/subscriptions/{live['id']}")


async def _releases_the_schedule(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    if live["schedule"] is not None:
        await backend.sandbox.post(f"/v1/subscription_schedules/{live['schedule']}/release")


async def _cancels_the_schedule(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    if live["schedule"] is not None and chance.random() < 0.3:
        await backend.sandbox.post(f"/v1/subscription_schedules/{live['schedule']}/cancel")


async def _voids_what_is_open(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    for invoice in await backend.sandbox.listed("/v1/invoices", customer=live["customer"], status="open"):
        await backend.sandbox.post(f"/v1/invoices/{invoice['id']}/void")


async def _changes_the_card(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    card = chance.choice(["pm_card_visa", "pm_card_mastercard", "pm_card_chargeCustomerFail"])
    attached = await backend.sandbox.post(f"/v1/payment_methods/{card}/attach", customer=live["customer"])
    chosen = {"invoice_settings[default_payment_method]": attached["id"]}
    await backend.sandbox.post(f"/v1/customers/{live['customer']}", **chosen)


async def _edits_metadata(backend: RunningBackend, live: dict[str, Any], chance: random.Random) -> None:
    await backend.sandbox.post(f"/v1/subscriptions/{live['id']}", **{"metadata[ticket]": str(chance.randint(1, 99))})


# what the customer does


async def _changes_seats(backend: RunningBackend, owner: Person, chance: random.Random) -> None:
    await change_seats(backend, owner, chance.randint(1, 9))


async def _changes_plan(backend: RunningBackend, owner: Person, chance: random.Random) -> None:
    interval = chance.choice(["MONTH", "MONTH", "YEAR"])
    await change_plan(backend, owner, chance.choice(["starter", "business"]), interval=interval)


async def _counts_numbers(backend: RunningBackend, owner: Person, chance: random.Random) -> None:
    await set_phone_numbers(backend, owner, chance.randint(0, 5))


async def _cancels(backend: RunningBackend, owner: Person, chance: random.Random) -> None:
    await cancel(backend, owner)


async def _keeps(backend: RunningBackend, owner: Person, chance: random.Random) -> None:
    await keep(backend, owner)


async def _invites(backend: RunningBackend, owner: Person, chance: random.Random) -> None:
    person, token = await invited(backend, owner)
    await accept(backend, person, token)


_STAFF: Final[tuple[Staff, ...]] = (
    *(_sets_seats, _lets_it_end, _lets_it_go_on, _ends_it, _releases_the_schedule, _cancels_the_schedule),
    *(_voids_what_is_open, _changes_the_card, _edits_metadata),
)
_CUSTOMER: Final[tuple[Action, ...]] = (*(_changes_seats, _changes_plan, _counts_numbers, _cancels, _keeps, _invites),)


async def _staff_act(backend: RunningBackend, owner: Person, chance: random.Random) -> None:
    act, live = chance.choice(_STAFF), await _live(backend, owner)
    if live:
        try:
            await act(backend, live[0], chance)
        except httpx.HTTPStatusError as refused:
            # what Stripe refuses is shown to staff, and changes nothing
            if refused.response.status_code >= 500:
                raise


@pytest.mark.parametrize("seed", range(4))
async def test_a_dashboards_day_beside_running_changes_leaves_nothing_stuck(backend: RunningBackend, seed: int) -> None:
    chance = random.Random(seed)
    owner = await new_team(backend, "business", seats=3)

    for _ in range(_ROUNDS):
        act = chance.choice(_CUSTOMER)
        await asyncio.gather(_staff_act(backend, owner, chance), act(backend, owner, chance))
    # longer than a change waits that somebody has left
    await backend.advance("PT5M")
    await _is_as_billed(backend, owner)

    await _changes_once_more(backend, owner)
    await _is_as_billed(backend, owner)
    await _money_is_right(backend, owner)


async def _is_as_billed(backend: RunningBackend, owner: Person) -> None:
    """What is shown becomes what Stripe bills."""

    async def look() -> bool:
        found, live = await subscription(backend, owner), await _live(backend, owner)
        if not live:
            return found["plan"]["code"] == "inactive"
        [stripe] = live
        quantities = {item["price"]["lookup_key"]: item["quantity"] for item in stripe["items"]["data"]}
        seats = next((number for key, number in quantities.items() if f"plan-{found['plan']['code']}-seat" in key), 0)
        numbers = next((number for key, number in quantities.items() if "phone-numbers" in key), 0)
        return (found["seats"]["total"], phone_numbers(found)) == (seats, numbers) and (
            found["cancelAtPeriodEnd"] == (stripe["cancel_at"] is not None)
        )

    await eventually(look)


async def _changes_once_more(backend: RunningBackend, owner: Person) -> None:
    """With a good card the workspace can have another number of seats, whatever was done before."""
    found = await subscription(backend, owner)
    if found["plan"]["code"] == "inactive":
        opened = await open_page(backend, owner, "starter", seats=10)
        assert opened["userErrors"] == []
        assert await pay_page(backend, opened["url"]) == 303

        async def has_begun() -> bool:
            return (await subscription(backend, owner))["plan"]["code"] == "starter"

        await eventually(has_begun)
        return
    card = await backend.add_card(owner)
    chosen = "mutation ($input: IdInput!) { setDefaultPaymentMethod(input: $input) { userErrors { code } } }"
    await backend.api.query(chosen, {"input": {"id": card}}, token=owner.token)
    if found["pendingChange"] is not None:
        assert codes(await keep(backend, owner)) == []
    answer = await change_plan(backend, owner, "business", seats=12)
    assert codes(answer) == []
    assert answer["subscription"]["seats"]["total"] == 12


async def _money_is_right(backend: RunningBackend, owner: Person) -> None:
    """What was charged is what paid invoices say, and none is left open."""
    charged = sorted(charge["amount"] for charge in await backend.charges(owner) if charge["paid"])
    invoices = await backend.stripe_invoices(owner)
    assert charged == sorted(
        each["amount_paid"] for each in invoices if each["status"] == "paid" and each["amount_paid"]
    )
    assert {each["status"] for each in invoices} <= {"paid", "void"}
