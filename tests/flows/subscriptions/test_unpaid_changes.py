"""Upgrades whose payment does not go through at once: nothing changes, or it waits for the cardholder."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    charge_to,
    codes,
    confirm_payment,
    keep,
    paid_minor,
    provider_id,
    subscribe,
    subscription,
)

DECLINING = "pm_card_chargeCustomerFail"
ASKING = "pm_card_authenticationRequired"


async def _with_card(backend: RunningBackend, card: str, *, seats: int) -> Person:
    """Someone who subscribed with a good card, and has another default card since."""
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=seats)
    await charge_to(backend, person, card)
    return person


async def _has(backend: RunningBackend, person: Person, plan: str, seats: int) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = await subscription(backend, person)
        is_so = (found["plan"]["code"], found["seats"]["total"], found["pendingChange"]) == (plan, seats, None)
        return found if is_so else None

    found = await eventually(look)
    assert found is not None
    return found


async def test_where_the_card_is_declined_nothing_changes_and_no_invoice_stays_open(backend: RunningBackend) -> None:
    person = await _with_card(backend, DECLINING, seats=3)

    declined = await change_seats(backend, person, 9)

    assert codes(declined) == ["PAYMENT_DECLINED"]
    assert declined["subscription"]["seats"]["total"] == 3
    assert declined["subscription"]["pendingChange"] is None
    assert [each["status"] for each in await backend.stripe_invoices(person)] == ["void", "paid"]
    assert len(await backend.charges(person)) == 1


async def test_a_decline_is_remembered_by_its_key(backend: RunningBackend) -> None:
    person = await _with_card(backend, DECLINING, seats=3)
    first = await change_seats(backend, person, 9, idempotencyKey="again")

    second = await change_seats(backend, person, 9, idempotencyKey="again")

    assert codes(first) == codes(second) == ["PAYMENT_DECLINED"]
    assert len(await backend.stripe_invoices(person)) == 2
    assert codes(await change_seats(backend, person, 8, idempotencyKey="again")) == ["IDEMPOTENCY_CONFLICT"]


async def test_a_downgrade_that_was_pending_is_still_there_after_a_decline(backend: RunningBackend) -> None:
    person = await _with_card(backend, DECLINING, seats=5)
    assert codes(await change_seats(backend, person, 3)) == []

    declined = await change_seats(backend, person, 9)

    assert codes(declined) == ["PAYMENT_DECLINED"]
    pending = declined["subscription"]["pendingChange"]
    assert (pending["kind"], pending["seats"]) == ("DOWNGRADE", 3)
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    assert stripe["schedule"] is not None


async def test_a_card_that_needs_its_holder_lets_the_change_wait_with_invoice_secret_and_end(
    backend: RunningBackend,
) -> None:
    person = await _with_card(backend, ASKING, seats=3)

    waiting = await change_plan(backend, person, "business", seats=5)

    assert codes(waiting) == ["PAYMENT_ACTION_REQUIRED"]
    assert waiting["userErrors"][0]["clientSecret"]
    found = waiting["subscription"]
    assert (found["plan"]["code"], found["seats"]["total"]) == ("team", 3)
    pending = found["pendingChange"]
    assert (pending["kind"], pending["plan"]["code"], pending["seats"]) == ("AWAITING_PAYMENT", "business", 5)
    assert pending["invoice"]["status"] == "OPEN"
    assert datetime.fromisoformat(pending["expiresAt"]) <= datetime.fromisoformat(found["currentPeriod"]["end"])
    assert codes(await change_seats(backend, person, 4)) == ["PAYMENT_PENDING"]

    [invoice] = [each for each in await backend.stripe_invoices(person) if each["status"] == "open"]
    await confirm_payment(backend, invoice["id"])
    await _has(backend, person, "business", 5)


async def test_what_waits_can_be_taken_back_and_what_it_displaced_comes_back(backend: RunningBackend) -> None:
    person = await _with_card(backend, ASKING, seats=5)
    assert codes(await change_seats(backend, person, 2)) == []
    assert codes(await change_seats(backend, person, 9)) == ["PAYMENT_ACTION_REQUIRED"]

    kept = await keep(backend, person)

    assert kept["userErrors"] == []
    pending = kept["subscription"]["pendingChange"]
    assert (pending["kind"], pending["seats"]) == ("DOWNGRADE", 2)
    assert [each["status"] for each in await backend.stripe_invoices(person)] == ["void", "paid"]


async def test_what_waits_lapses_within_a_day_and_leaves_nothing_open(backend: RunningBackend) -> None:
    person = await _with_card(backend, ASKING, seats=5)
    assert codes(await change_seats(backend, person, 2)) == []
    assert codes(await change_seats(backend, person, 9)) == ["PAYMENT_ACTION_REQUIRED"]

    await backend.advance("P1D")

    found = await subscription(backend, person)
    assert (found["seats"]["total"], found["pendingChange"]["kind"], found["pendingChange"]["seats"]) == (
        5,
        "DOWNGRADE",
        2,
    )
    assert [each["status"] for each in await backend.stripe_invoices(person)] == ["void", "paid"]


async def test_what_waits_lapses_two_hours_before_the_period_ends(backend: RunningBackend) -> None:
    person = await _with_card(backend, ASKING, seats=5)
    found = await subscription(backend, person)
    end = datetime.fromisoformat(found["currentPeriod"]["end"])
    left = end - backend.database.clock.now() - timedelta(hours=4)
    await backend.advance(f"PT{int(left.total_seconds())}S")

    # so many that the few hours left cost more than the least that is charged
    waiting = await change_seats(backend, person, 50)

    assert codes(waiting) == ["PAYMENT_ACTION_REQUIRED"]
    expires_at = datetime.fromisoformat(waiting["subscription"]["pendingChange"]["expiresAt"])
    assert expires_at == end - timedelta(hours=2)
    await backend.advance("PT2H10M")
    await _has(backend, person, "team", 5)


async def test_canceling_is_possible_while_a_change_waits_and_drops_it(backend: RunningBackend) -> None:
    person = await _with_card(backend, ASKING, seats=5)
    assert codes(await change_seats(backend, person, 9)) == ["PAYMENT_ACTION_REQUIRED"]

    canceled = await cancel(backend, person)

    assert canceled["userErrors"] == []
    assert canceled["subscription"]["pendingChange"]["kind"] == "CANCELLATION"
    assert [each["status"] for each in await backend.stripe_invoices(person)] == ["void", "paid"]


async def test_an_upgrade_drops_a_cancellation_once_it_is_paid(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=3)
    await cancel(backend, person)

    more = await change_seats(backend, person, 4)

    assert more["userErrors"] == []
    assert (more["subscription"]["seats"]["total"], more["subscription"]["cancelAtPeriodEnd"]) == (4, False)
    assert more["subscription"]["pendingChange"] is None
    assert len(paid_minor(await backend.charges(person))) == 2
