"""Upgrades of a canceled subscription, at another price, and while Stripe is away: charged as quoted, or nothing changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.support.client import eventually
from tests.support.previews import preview
from tests.support.running_backend import RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    customer_of,
    paid_minor,
    provider_id,
    subscribe,
)


async def test_a_yearly_upgrade_of_a_canceled_subscription_charges_the_whole_year_at_once(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)
    assert codes(await cancel(backend, person)) == []

    shown = await preview(backend, person, interval="YEAR")
    assert codes(await change_plan(backend, person, "team", interval="YEAR", quote=shown["quote"])) == []

    # 5 × 190.00 for the year, less up to 95.00 for the month that is not used up
    customer = await customer_of(backend, person)
    assert await backend.sandbox.listed("/v1/invoiceitems", customer=customer, pending="true") == []
    assert float(shown["dueNow"]["amount"]) >= 855
    assert paid_minor(await backend.charges(person))[-1] >= 85500


async def test_an_end_that_the_portal_set_as_a_time_is_taken_back_before_the_year_is_charged(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    begun = await subscribe(backend, person, "team", seats=5)
    end = int(datetime.fromisoformat(begun["currentPeriod"]["end"]).timestamp())
    await backend.sandbox.post(f"/v1/subscriptions/{await provider_id(backend, person)}", cancel_at=str(end))

    shown = await preview(backend, person, interval="YEAR")
    changed = await change_plan(backend, person, "team", interval="YEAR", quote=shown["quote"])

    assert codes(changed) == []
    assert (changed["subscription"]["interval"], changed["subscription"]["cancelAtPeriodEnd"]) == ("YEAR", False)
    assert float(shown["dueNow"]["amount"]) >= 855
    assert paid_minor(await backend.charges(person))[-1] == round(float(shown["dueNow"]["amount"]) * 100)


async def test_where_the_upgrade_of_a_canceled_subscription_is_declined_it_ends_as_before(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)
    failing = await backend.add_card(person, "pm_card_chargeCustomerFail")
    set_default = "mutation ($input: IdInput!) { setDefaultPaymentMethod(input: $input) { userErrors { code } } }"
    await backend.api.query(set_default, {"input": {"id": failing}}, token=person.token)
    assert codes(await cancel(backend, person)) == []

    async def is_charged_to_it() -> bool:
        stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
        card = await backend.sandbox.fetched(f"/v1/payment_methods/{stripe['default_payment_method']}")
        return card["card"]["last4"] == "0341"

    await eventually(is_charged_to_it)
    declined = await change_plan(backend, person, "team", interval="YEAR")

    assert codes(declined) == ["PAYMENT_DECLINED"]
    found = declined["subscription"]
    assert (found["interval"], found["cancelAtPeriodEnd"]) == ("MONTH", True)
    assert found["pendingChange"]["kind"] == "CANCELLATION"


async def test_a_subscription_that_ends_within_its_period_has_to_be_kept_before_it_is_raised(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)
    at = int((backend.database.clock.now() + timedelta(days=5)).timestamp())
    await backend.sandbox.post(f"/v1/subscriptions/{await provider_id(backend, person)}", cancel_at=str(at))

    assert codes(await change_plan(backend, person, "business")) == ["CONFLICT"]

    assert len(await backend.charges(person)) == 1


async def test_where_the_card_would_be_charged_more_than_was_shown_the_price_has_changed(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)
    shown = await preview(backend, person, planCode="business", seats=5)
    await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, person)}", balance="5000")

    changed = await change_plan(backend, person, "business", seats=5, quote=shown["quote"])

    assert codes(changed) == ["PRICE_CHANGED"]
    assert len(await backend.charges(person)) == 1


async def test_a_cancellation_that_stripe_was_away_for_is_finished_by_asking_again(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)
    await backend.sandbox.fail("error_500", "/v1/subscriptions/.*", times=8)
    assert codes(await cancel(backend, person)) == ["PAYMENT_UNAVAILABLE"]

    await backend.sandbox.restore()
    again = await cancel(backend, person)

    assert again["userErrors"] == []
    assert (again["subscription"]["cancelAtPeriodEnd"], again["subscription"]["pendingChange"]["kind"]) == (
        True,
        "CANCELLATION",
    )


async def test_an_upgrade_whose_answers_were_all_lost_is_made_once_by_asking_again(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)
    await backend.sandbox.fail("drop_before", "/v1/subscriptions/.*", times=12)
    assert codes(await change_seats(backend, person, 7, idempotencyKey="lost")) == ["PAYMENT_PENDING"]

    await backend.sandbox.restore()
    again = await change_seats(backend, person, 7, idempotencyKey="lost")

    assert (codes(again), again["subscription"]["seats"]["total"]) == ([], 7)
    assert len(await backend.charges(person)) == 2
