"""Subscriptions lived through as a customer does: begin, more, less, cancel, fall back; amounts computed by hand."""

from __future__ import annotations

import pytest

from tests.support.running_backend import RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    keep,
    open_page,
    paid_minor,
    subscribe,
    subscription,
)


async def test_a_first_plan_begins_on_a_page_whose_card_becomes_the_default(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    before = await subscription(backend, person)
    assert (before["plan"]["code"], before["status"], before["renewsAt"]) == ("free", "ACTIVE", None)

    begun = await subscribe(backend, person, "team", seats=5)

    assert (begun["status"], begun["interval"], begun["seats"]["total"]) == ("ACTIVE", "MONTH", 5)
    assert begun["renewsAt"] == begun["currentPeriod"]["end"]
    assert begun["recurringPrice"] == {"amount": "95.00"}
    assert [card["isDefault"] for card in await backend.cards(person)] == [True]
    assert paid_minor(await backend.charges(person)) == [9500]


async def test_more_is_charged_at_once_and_less_waits_for_the_period_to_end(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)

    more = await change_seats(backend, person, 7)
    assert more["userErrors"] == []
    assert more["subscription"]["seats"]["total"] == 7
    assert more["subscription"]["pendingChange"] is None
    charged = paid_minor(await backend.charges(person))
    # two seats more for all of the month, but for the seconds that passed
    assert charged[0] == 9500
    assert charged[1] == pytest.approx(3800, abs=1)

    fewer = await change_seats(backend, person, 3)
    assert fewer["userErrors"] == []
    assert fewer["subscription"]["seats"]["total"] == 7
    pending = fewer["subscription"]["pendingChange"]
    assert (pending["kind"], pending["seats"]) == ("DOWNGRADE", 3)
    assert pending["effectiveAt"] == fewer["subscription"]["currentPeriod"]["end"]
    assert len(await backend.charges(person)) == 2


async def test_a_downgrade_takes_place_at_the_renewal_and_is_what_the_renewal_charges(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "business", seats=5)
    assert codes(await change_plan(backend, person, "personal")) == []

    await backend.advance("P32D")

    now = await subscription(backend, person)
    assert (now["plan"]["code"], now["seats"]["total"], now["pendingChange"]) == ("personal", 1, None)
    assert paid_minor(await backend.charges(person)) == [19500, 900]


async def test_canceled_it_ends_with_its_period_and_can_be_taken_back_until_then(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")

    canceled = await cancel(backend, person)
    assert canceled["userErrors"] == []
    assert canceled["subscription"]["cancelAtPeriodEnd"] is True
    assert canceled["subscription"]["pendingChange"]["kind"] == "CANCELLATION"
    assert canceled["subscription"]["pendingChange"]["plan"]["code"] == "free"
    kept = await keep(backend, person)
    assert kept["userErrors"] == []
    assert (kept["subscription"]["cancelAtPeriodEnd"], kept["subscription"]["pendingChange"]) == (False, None)
    assert codes(await keep(backend, person)) == ["NO_CHANGE"]

    await cancel(backend, person)
    await backend.advance("P32D")

    ended = await subscription(backend, person)
    assert (ended["plan"]["code"], ended["status"], ended["renewsAt"]) == ("free", "CANCELED", None)
    assert paid_minor(await backend.charges(person)) == [900]


async def test_who_has_a_plan_changes_it_instead_of_beginning_another(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")

    assert codes(await open_page(backend, person, "team")) == ["CONFLICT"]
