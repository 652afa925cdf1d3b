"""Several callers at once change one subscription: one change is made, and nothing is charged twice."""

from __future__ import annotations

import asyncio

from tests.support.running_backend import RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    paid_minor,
    stripe_subscriptions,
    subscribe,
    subscription,
)


async def test_one_key_from_many_callers_at_once_changes_and_charges_once(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=2)

    answers = await asyncio.gather(*(change_seats(backend, person, 6, idempotencyKey="together") for _ in range(20)))

    assert {tuple(codes(answer)) for answer in answers} == {()}
    assert {answer["subscription"]["seats"]["total"] for answer in answers} == {6}
    assert len(await backend.charges(person)) == 2


async def test_of_different_changes_at_once_one_is_made_and_the_others_are_told_to_wait(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=2)

    answers = await asyncio.gather(*(change_seats(backend, person, seats) for seats in (5, 6, 7, 8)))

    told = [codes(answer) for answer in answers]
    made = [seats for seats, each in zip((5, 6, 7, 8), told, strict=True) if not each]
    assert made
    assert {code for each in told for code in each} <= {"PAYMENT_PENDING", "CONFLICT", "NO_CHANGE"}
    found = await subscription(backend, person)
    assert found["seats"]["total"] in (*made, 8)
    [stripe] = await stripe_subscriptions(backend, person)
    assert stripe["items"]["data"][0]["quantity"] == found["seats"]["total"]


async def test_an_upgrade_twice_in_a_period_charges_each_difference_once(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")

    assert codes(await change_plan(backend, person, "team", seats=2)) == []
    assert codes(await change_plan(backend, person, "business", seats=5)) == []

    # 9.00, then up to 38.00, then up to 195.00, but for the seconds that passed
    charged = paid_minor(await backend.charges(person))
    assert charged[0] == 900
    assert abs(charged[1] - 2900) <= 2
    assert abs(charged[2] - 15700) <= 2


async def test_a_change_and_a_cancellation_at_once_leave_the_subscription_whole(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=2)

    changed, canceled = await asyncio.gather(change_seats(backend, person, 4), cancel(backend, person))

    assert codes(changed) in ([], ["PAYMENT_PENDING"])
    assert codes(canceled) in ([], ["PAYMENT_PENDING"])
    found = await subscription(backend, person)
    [stripe] = await stripe_subscriptions(backend, person)
    assert found["cancelAtPeriodEnd"] == (stripe["cancel_at"] is not None)
    assert found["seats"]["total"] == stripe["items"]["data"][0]["quantity"] == (2 if codes(changed) else 4)
