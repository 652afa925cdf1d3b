"""Renewals that can't be charged: access lasts for a grace period, a new card pays at once, and otherwise it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_seats,
    codes,
    paid_minor,
    provider_id,
    stripe_subscriptions,
    subscribe,
    subscription,
)

FAILING = "pm_card_chargeCustomerFail"

SET_DEFAULT = "mutation ($input: IdInput!) { setDefaultPaymentMethod(input: $input) { userErrors { code } } }"
REMOVE = "mutation ($input: IdInput!) { removePaymentMethod(input: $input) { userErrors { code message } } }"


async def _unpaid(backend: RunningBackend) -> Person:
    """Someone whose renewal was declined an hour ago."""
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=3)
    added = await backend.add_card(person, FAILING)
    await backend.api.query(SET_DEFAULT, {"input": {"id": added}}, token=person.token)
    await eventually(lambda: _is_charged_to(backend, person, "0341"))
    end = datetime.fromisoformat((await subscription(backend, person))["currentPeriod"]["end"])
    left = end - backend.database.clock.now() + timedelta(hours=2)
    await backend.advance(f"PT{int(left.total_seconds())}S")
    return person


async def _is_charged_to(backend: RunningBackend, person: Person, last4: str) -> bool:
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    card = await backend.sandbox.fetched(f"/v1/payment_methods/{stripe['default_payment_method']}")
    return card["card"]["last4"] == last4


async def test_a_failed_renewal_keeps_access_for_the_grace_period_and_tells_the_owner_once(
    backend: RunningBackend,
) -> None:
    person = await _unpaid(backend)

    found = await subscription(backend, person)

    assert (found["status"], found["plan"]["code"], found["seats"]["total"]) == ("PAST_DUE", "team", 3)
    grace = datetime.fromisoformat(found["graceEndsAt"]) - backend.database.clock.now()
    assert timedelta(days=6, hours=20) < grace < timedelta(days=7)
    await backend.advance("P2D")
    subjects = [mail["subject"] for mail in await mails_to(backend, person.address)]
    assert subjects.count("Your subscription could not be renewed") == 1


async def test_a_new_default_card_pays_what_is_overdue_at_once(backend: RunningBackend) -> None:
    person = await _unpaid(backend)

    good = await backend.add_card(person, "pm_card_mastercard")
    await backend.api.query(SET_DEFAULT, {"input": {"id": good}}, token=person.token)

    async def is_active() -> bool:
        return (await subscription(backend, person))["status"] == "ACTIVE"

    await eventually(is_active)
    assert (await subscription(backend, person))["graceEndsAt"] is None
    assert paid_minor(await backend.charges(person)) == [5700, 5700]


async def test_at_the_end_of_grace_the_subscription_ends_and_its_open_invoices_are_called_off(
    backend: RunningBackend,
) -> None:
    person = await _unpaid(backend)

    await backend.advance("P8D")

    found = await subscription(backend, person)
    assert (found["plan"]["code"], found["status"]) == ("free", "CANCELED")
    assert [each["status"] for each in await stripe_subscriptions(backend, person)] == ["canceled"]
    assert [each["status"] for each in await backend.stripe_invoices(person)] == ["void", "paid"]
    assert [each["status"] for each in await backend.invoices(person)] == ["VOID", "PAID"]
    assert paid_minor(await backend.charges(person)) == [5700]
    subjects = [mail["subject"] for mail in await mails_to(backend, person.address)]
    assert subjects.count("Your subscription ended unpaid") == 1


async def test_while_a_renewal_is_unpaid_an_upgrade_pays_it_first_and_is_not_made_where_that_fails(
    backend: RunningBackend,
) -> None:
    person = await _unpaid(backend)

    more = await change_seats(backend, person, 5)

    assert codes(more) == ["PAYMENT_DECLINED"]
    assert more["subscription"]["seats"]["total"] == 3
    assert paid_minor(await backend.charges(person)) == [5700]


async def test_canceling_stays_possible_while_a_renewal_is_unpaid(backend: RunningBackend) -> None:
    person = await _unpaid(backend)

    canceled = await cancel(backend, person)

    assert canceled["userErrors"] == []
    assert canceled["subscription"]["cancelAtPeriodEnd"] is True


async def test_the_last_card_under_a_paid_subscription_stays_until_it_is_canceled(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    [card] = await backend.cards(person)

    refused = await backend.api.query(REMOVE, {"input": {"id": card["id"]}}, token=person.token)
    assert [error["code"] for error in refused["removePaymentMethod"]["userErrors"]] == ["CONFLICT"]
    assert len(await backend.cards(person)) == 1

    await cancel(backend, person)
    removed = await backend.api.query(REMOVE, {"input": {"id": card["id"]}}, token=person.token)
    assert removed["removePaymentMethod"]["userErrors"] == []


async def test_where_the_last_card_is_detached_at_stripe_the_owner_is_told(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")

    await backend.sandbox.post(f"/v1/payment_methods/{stripe['default_payment_method']}/detach")

    async def is_told() -> bool:
        subjects = [mail["subject"] for mail in await mails_to(backend, person.address)]
        return "Your subscription has no card" in subjects

    await eventually(is_told)
