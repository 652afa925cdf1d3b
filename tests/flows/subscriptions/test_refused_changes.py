"""Changes that are refused: the reason is told, and nothing is other than before, here and at Stripe."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from app.accounts.access.permissions import WorkspaceRole
from app.flows.subscriptions.second_subscriptions import end_second
from tests.support.members import let_in
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import change_seats, codes, provider_id, stripe_subscriptions, subscribe, subscription


async def _seen(backend: RunningBackend, person: Person) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    found = await stripe_subscriptions(backend, person)
    return await subscription(backend, person), found, len(await backend.charges(person))


async def test_in_a_trial_that_the_seller_gave_nothing_more_is_promised_since_nothing_can_be_charged(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=3)
    end = int((backend.database.clock.now() + timedelta(days=10)).timestamp())
    await backend.sandbox.post(
        f"/v1/subscriptions/{await provider_id(backend, person)}", trial_end=str(end), proration_behavior="none"
    )

    assert codes(await change_seats(backend, person, 5)) == ["CONFLICT"]

    [stripe] = await stripe_subscriptions(backend, person)
    assert stripe["items"]["data"][0]["quantity"] == 3


async def test_more_seats_than_the_plan_can_have_are_refused_and_nothing_changes(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=3)
    before = await _seen(backend, person)

    assert codes(await change_seats(backend, person, 51)) == ["SEAT_LIMIT"]
    assert codes(await change_seats(backend, person, 3)) == ["NO_CHANGE"]

    assert await _seen(backend, person) == before


async def test_fewer_seats_than_members_hold_are_refused_and_nothing_changes(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)
    for _ in range(2):
        member = await backend.sign_up()
        await let_in(backend.database, person.workspace_id, member.user_id, WorkspaceRole.MEMBER)
    before = await _seen(backend, person)

    assert codes(await change_seats(backend, person, 2)) == ["SEATS_IN_USE"]

    assert await _seen(backend, person) == before
    assert codes(await change_seats(backend, person, 3)) == []


async def test_a_second_subscription_that_has_run_for_long_is_left_to_the_seller(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    context = backend.parts.flow_context
    found = await context.gateway.subscription(await provider_id(backend, person))
    made_by_hand = replace(found, metadata={}, started_at=found.started_at - timedelta(days=30))

    await end_second(context, person.workspace_id, made_by_hand)

    assert [each["status"] for each in await stripe_subscriptions(backend, person)] == ["active"]
    assert [charge["amount_refunded"] for charge in await backend.charges(person)] == [0]
