"""Leaving a legacy plan: at once and for good, with what was paid for and not used refunded to the card, to the cent.

Essential costs 30.00 a month or 300.00 a year, Professional 200.00 a month with five seats and 20.00 for each more; the tax of
8.25 % comes on top, each line's by itself. April has 30 days.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.catalog import BillingInterval
from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.plan_moves import (
    audited,
    dispute,
    give_credit,
    leave,
    live_at_stripe,
    moves,
    on_legacy,
    refund_told,
    refunded,
    set_by_operator,
    told,
)
from tests.support.previews import balance, charge_to, jump_to, wait_until
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_seats,
    codes,
    customer_of,
    keep,
    paid_minor,
    provider_id,
    stripe_invoices,
    stripe_subscriptions,
    subscription,
)

_REFUNDED = "query ($id: ID!) { workspace(id: $id) { invoices { nodes { amountRefunded { amount } } } } }"


async def _next_april(backend: RunningBackend) -> datetime:
    now = backend.database.clock.now()
    moment = datetime(now.year, 4, 1, 6, tzinfo=UTC)
    moment = moment if moment > now else moment.replace(year=now.year + 1)
    await jump_to(backend, moment)
    return moment


async def _half_a_month_used(backend: RunningBackend) -> Person:
    """Someone on Essential, of whose April half is over."""
    began_at = await _next_april(backend)
    person = await on_legacy(backend)
    await jump_to(backend, began_at + timedelta(days=15))
    return person


async def test_half_a_month_of_essential_goes_back_to_the_cent(dollars: RunningBackend) -> None:
    person = await _half_a_month_used(dollars)
    assert paid_minor(await dollars.charges(person)) == [3248]

    found = await told(dollars, person)
    assert found is not None
    assert (found["from"]["code"], found["to"]["code"]) == ("essential", "pay-as-you-go")
    assert found["refund"] == {"amount": "16.24", "currency": "USD"}
    assert "refunded" in found["message"]
    left = await leave(dollars, person)

    assert left["userErrors"] == []
    assert (left["subscription"]["plan"]["code"], left["subscription"]["status"]) == ("pay-as-you-go", "ACTIVE")
    assert await refunded(dollars, person) == [1624]
    assert [each["status"] for each in await stripe_subscriptions(dollars, person)] == ["canceled"]
    data = await dollars.api.query(_REFUNDED, {"id": person.workspace}, token=person.token)
    assert data["workspace"]["invoices"]["nodes"] == [{"amountRefunded": {"amount": "16.24"}}]
    assert await told(dollars, person) is None
    [_, move] = await moves(dollars, person)
    assert (move.state, move.kind, move.moved_at is not None) == ("DONE", "TRANSITION", True)


async def test_a_year_of_essential_with_a_fifth_used_goes_back_to_the_cent(dollars: RunningBackend) -> None:
    began_at = await _next_april(dollars)
    person = await on_legacy(dollars, interval=BillingInterval.YEAR)
    # a fifth of the year, whether or not it has a day more
    await jump_to(dollars, began_at + (began_at.replace(year=began_at.year + 1) - began_at) / 5)

    assert await refund_told(dollars, person) == "259.80"
    assert (await leave(dollars, person))["userErrors"] == []

    assert paid_minor(await dollars.charges(person)) == [32475]
    assert await refunded(dollars, person) == [25980]


async def test_community_is_left_without_a_refund_and_without_asking_stripe(dollars: RunningBackend) -> None:
    person = await dollars.sign_up()
    await set_by_operator(dollars, person, "community")
    await dollars.sandbox.fail("error_500", "/v1/.*", times=50)
    await dollars.sandbox.fail("error_500", "/v1/.*", method="GET", times=50)

    found = await told(dollars, person)
    left = await leave(dollars, person)

    assert found is not None
    assert (found["from"]["code"], found["refund"]) == ("community", None)
    assert left["userErrors"] == []
    assert (left["subscription"]["plan"]["code"], left["subscription"]["status"]) == ("pay-as-you-go", "ACTIVE")


async def test_the_same_key_answers_again_and_another_finds_nothing_to_leave(dollars: RunningBackend) -> None:
    person = await _half_a_month_used(dollars)

    first = await leave(dollars, person, key="once")
    again = await leave(dollars, person, key="once")
    other = await leave(dollars, person, key="twice")

    assert first == again
    assert codes(other) == ["NO_CHANGE"]
    assert await refunded(dollars, person) == [1624]


async def test_many_callers_at_once_move_and_refund_once(dollars: RunningBackend) -> None:
    person = await _half_a_month_used(dollars)

    answers = await asyncio.gather(*(leave(dollars, person, key=f"key {number % 3}") for number in range(9)))

    assert [] in [codes(each) for each in answers]
    assert {code for each in answers for code in codes(each)} <= {"NO_CHANGE", "PAYMENT_PENDING"}
    assert await refunded(dollars, person) == [1624]
    assert len([each for each in await moves(dollars, person) if each.kind == "TRANSITION"]) == 1


async def test_the_owner_is_told_of_the_move_and_its_refund_and_of_no_cancellation(dollars: RunningBackend) -> None:
    person = await _half_a_month_used(dollars)
    await leave(dollars, person)

    async def mailed() -> list[str] | None:
        subjects = [mail["subject"] for mail in await mails_to(dollars, person.address)]
        return subjects if "You moved to Pay-As-You-Go" in subjects else None

    subjects = await eventually(mailed)
    assert subjects is not None
    assert "Your subscription has ended" not in subjects
    [moved] = [
        each for each in await mails_to(dollars, person.address) if each["subject"] == "You moved to Pay-As-You-Go"
    ]
    assert "16.24 USD is refunded" in moved["text"]
    assert ("subscription.moved", "system") in await audited(dollars, person)


async def test_a_refund_is_split_over_the_payments_that_paid_for_the_time_the_newest_first(
    dollars: RunningBackend,
) -> None:
    began_at = await _next_april(dollars)
    person = await on_legacy(dollars, "professional")
    await jump_to(dollars, began_at + timedelta(days=15))
    changed = await change_seats(dollars, person, 10)
    assert changed["userErrors"] == []
    # 200.00 and 16.50 of tax, then half a month of 100.00 and 4.13 of tax
    assert paid_minor(await dollars.charges(person)) == [21650, 5413]

    assert await refund_told(dollars, person) == "162.38"
    assert (await leave(dollars, person))["userErrors"] == []

    assert sorted(await refunded(dollars, person)) == [5413, 10825]


async def test_what_was_refunded_before_does_not_go_back_once_more(dollars: RunningBackend) -> None:
    person = await _half_a_month_used(dollars)
    [charge] = await dollars.charges(person)
    await dollars.sandbox.post("/v1/refunds", payment_intent=charge["payment_intent"], amount="2248")

    assert await refund_told(dollars, person) == "10.00"
    await leave(dollars, person)

    assert sorted(await refunded(dollars, person)) == [1000, 2248]


async def test_what_is_disputed_does_not_go_back(dollars: RunningBackend) -> None:
    person = await _half_a_month_used(dollars)
    [charge] = await dollars.charges(person)
    await dispute(dollars, charge)

    assert await refund_told(dollars, person) is None
    assert (await leave(dollars, person))["userErrors"] == []

    assert await refunded(dollars, person) == []
    assert await live_at_stripe(dollars, person) == []


async def test_what_credit_paid_for_does_not_go_back_to_the_card(dollars: RunningBackend) -> None:
    began_at = await _next_april(dollars)
    person = await dollars.sign_up()
    await dollars.add_card(person)
    await give_credit(dollars, person, 2048)
    await set_by_operator(dollars, person, "essential")
    await jump_to(dollars, began_at + timedelta(days=15))
    assert paid_minor(await dollars.charges(person)) == [1200]

    # worth 16.24, of which the card has paid 12.00
    assert await refund_told(dollars, person) == "12.00"
    await leave(dollars, person)

    assert await refunded(dollars, person) == [1200]


async def test_credit_and_debt_of_the_customer_stay_as_they_are(dollars: RunningBackend) -> None:
    person = await _half_a_month_used(dollars)
    await give_credit(dollars, person, 500)

    assert await refund_told(dollars, person) == "16.24"
    await leave(dollars, person)

    assert await refunded(dollars, person) == [1624]
    assert await balance(dollars, person) == -500


@pytest.mark.parametrize("minor", [-1000, 1000])
async def test_what_waits_for_the_next_invoice_of_the_customer_neither_adds_to_the_refund_nor_lowers_it(
    dollars: RunningBackend, minor: int
) -> None:
    person = await _half_a_month_used(dollars)
    customer = await customer_of(dollars, person)
    await dollars.sandbox.post("/v1/invoiceitems", customer=customer, amount=str(minor), currency="usd")

    assert await refund_told(dollars, person) == "16.24"
    await leave(dollars, person)

    assert await refunded(dollars, person) == [1624]
    # it is counted there, once
    [waiting] = await dollars.sandbox.listed("/v1/invoiceitems", customer=customer, pending="true")
    assert waiting["amount"] == minor


@pytest.mark.parametrize("road", ["credit_amount", "out_of_band_amount"])
async def test_what_a_credit_note_gave_back_otherwise_does_not_go_back_once_more(
    dollars: RunningBackend, road: str
) -> None:
    person = await _half_a_month_used(dollars)
    [invoice] = await stripe_invoices(dollars, person)
    await dollars.sandbox.post("/v1/credit_notes", invoice=invoice["id"], amount="1500", refund_amount="1500")
    await dollars.sandbox.post("/v1/credit_notes", invoice=invoice["id"], amount="1000", **{road: "1000"})

    # worth 16.24, but of the 32.48 that were paid 7.48 are left
    assert await refund_told(dollars, person) == "7.48"
    await leave(dollars, person)

    assert sorted(await refunded(dollars, person)) == [748, 1500]


async def test_with_a_coupon_what_was_paid_for_the_rest_goes_back(dollars: RunningBackend) -> None:
    began_at = await _next_april(dollars)
    person = await on_legacy(dollars)
    coupon = await dollars.sandbox.post("/v1/coupons", percent_off="50", duration="forever")
    stripe = f"/v1/subscriptions/{await provider_id(dollars, person)}"
    await dollars.sandbox.post(stripe, **{"discounts[0][coupon]": coupon["id"]})
    await wait_until(dollars, began_at + timedelta(days=30, hours=3))
    # the renewal was charged with half of the price, and half of May's 31 days is left
    assert paid_minor(await dollars.charges(person)) == [3248, 1624]
    await jump_to(dollars, began_at + timedelta(days=30 + 15.5))

    assert await refund_told(dollars, person) == "8.12"
    await leave(dollars, person)

    assert await refunded(dollars, person) == [812]


async def test_an_unpaid_period_is_called_off_and_nothing_of_it_goes_back(dollars: RunningBackend) -> None:
    began_at = await _next_april(dollars)
    person = await on_legacy(dollars)
    await charge_to(dollars, person, "pm_card_chargeCustomerFail")
    await wait_until(dollars, began_at + timedelta(days=30, hours=3))
    assert (await subscription(dollars, person))["status"] == "PAST_DUE"

    assert await refund_told(dollars, person) is None
    assert (await leave(dollars, person))["userErrors"] == []

    async def is_void() -> bool:
        return [each["status"] for each in await dollars.stripe_invoices(person)] == ["void", "paid"]

    await eventually(is_void)
    assert await refunded(dollars, person) == []
    assert (await subscription(dollars, person))["graceEndsAt"] is None
    subjects = [mail["subject"] for mail in await mails_to(dollars, person.address)]
    assert "Your subscription ended unpaid" not in subjects


async def test_a_renewal_that_is_still_a_draft_is_never_charged(dollars: RunningBackend) -> None:
    began_at = await _next_april(dollars)
    person = await on_legacy(dollars)
    await wait_until(dollars, began_at + timedelta(days=30, minutes=20))
    assert [each["status"] for each in await dollars.stripe_invoices(person)] == ["draft", "paid"]

    assert await refund_told(dollars, person) is None
    assert (await leave(dollars, person))["userErrors"] == []
    await dollars.advance("PT3H")

    assert paid_minor(await dollars.charges(person)) == [3248]
    assert [each["status"] for each in await dollars.stripe_invoices(person)] == ["void", "paid"]
    assert await refunded(dollars, person) == []


async def test_what_ends_with_its_period_anyway_can_be_left_at_once_with_its_refund(dollars: RunningBackend) -> None:
    person = await _half_a_month_used(dollars)
    assert (await cancel(dollars, person))["userErrors"] == []

    assert await refund_told(dollars, person) == "16.24"
    left = await leave(dollars, person)

    assert (left["userErrors"], left["subscription"]["pendingChange"]) == ([], None)
    assert await refunded(dollars, person) == [1624]


async def test_a_downgrade_that_is_pending_goes_with_the_plan(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars, "professional", seats=8)
    assert (await change_seats(dollars, person, 6))["userErrors"] == []

    left = await leave(dollars, person)

    assert (left["userErrors"], left["subscription"]["pendingChange"]) == ([], None)
    assert await live_at_stripe(dollars, person) == []


async def test_in_a_trial_that_the_seller_gave_nothing_was_paid_and_nothing_goes_back(dollars: RunningBackend) -> None:
    began_at = await _next_april(dollars)
    person = await on_legacy(dollars)
    await jump_to(dollars, began_at + timedelta(days=31))
    stripe = f"/v1/subscriptions/{await provider_id(dollars, person)}"
    until = int((dollars.database.clock.now() + timedelta(days=20)).timestamp())
    await dollars.sandbox.post(stripe, trial_end=str(until), proration_behavior="none")

    assert await refund_told(dollars, person) is None
    assert (await leave(dollars, person))["userErrors"] == []
    assert await live_at_stripe(dollars, person) == []


async def test_while_an_upgrade_awaits_its_payment_the_plan_is_not_left(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars, "professional")
    await charge_to(dollars, person, "pm_card_authenticationRequired")
    assert codes(await change_seats(dollars, person, 9)) == ["PAYMENT_ACTION_REQUIRED"]

    assert codes(await leave(dollars, person)) == ["PAYMENT_PENDING"]
    assert len(await live_at_stripe(dollars, person)) == 1

    await keep(dollars, person)
    assert (await leave(dollars, person))["userErrors"] == []
