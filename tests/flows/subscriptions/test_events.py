"""Stripe's events doubled, shuffled, late or lost: the same end, and each notice once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    change_plan,
    change_seats,
    codes,
    open_page,
    paid_minor,
    pay_page,
    provider_id,
    stripe_subscriptions,
    subscription,
)


@pytest.mark.parametrize("delivery", ["duplicate", "shuffle", "hold", "drop"])
async def test_whatever_becomes_of_the_events_the_end_is_the_same_and_each_notice_comes_once(
    own_backend: RunningBackend, delivery: str
) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.sandbox.deliver(delivery)

    opened = await open_page(backend, person, "team", seats=3)
    assert await pay_page(backend, opened["url"]) == 303
    await backend.advance("PT40M")
    assert codes(await change_seats(backend, person, 5)) == []
    assert codes(await change_plan(backend, person, "personal")) == []
    await backend.advance(await _until_renewed(backend, person))
    assert (await subscription(backend, person))["plan"]["code"] == "personal"
    await _lose_the_card(backend, person)
    await backend.advance(await _until_renewed(backend, person))
    await backend.sandbox.flush()
    await backend.advance("P9D")
    await backend.sandbox.restore()
    await backend.sandbox.flush()
    await backend.advance("PT2M")

    async def is_over() -> bool:
        return (await subscription(backend, person))["status"] == "CANCELED"

    await eventually(is_over)
    assert (await subscription(backend, person))["plan"]["code"] == "free"
    assert [each["status"] for each in await stripe_subscriptions(backend, person)] == ["canceled"]
    charged = paid_minor(await backend.charges(person))
    assert (charged[0], charged[2]) == (5700, 900)
    assert charged[1] == pytest.approx(3800, abs=10)
    assert len(charged) == 3
    assert "open" not in [each["status"] for each in await backend.stripe_invoices(person)]
    subjects = [mail["subject"] for mail in await mails_to(backend, person.address)]
    assert subjects.count("Your subscription could not be renewed") == 1
    assert subjects.count("Your subscription ended unpaid") == 1


async def _until_renewed(backend: RunningBackend, person: Person) -> str:
    """How long it is until the period has ended and its renewal was charged."""
    end = datetime.fromisoformat((await subscription(backend, person))["currentPeriod"]["end"])
    return f"PT{int((end - backend.database.clock.now() + timedelta(hours=2)).total_seconds())}S"


async def _lose_the_card(backend: RunningBackend, person: Person) -> None:
    """Let the card that is charged be declined from now on, as after a theft."""
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    failing = await backend.sandbox.post(
        "/v1/payment_methods/pm_card_chargeCustomerFail/attach", customer=stripe["customer"]
    )
    await backend.sandbox.post(f"/v1/subscriptions/{stripe['id']}", default_payment_method=failing["id"])
