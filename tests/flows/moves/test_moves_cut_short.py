"""Moves to another plan that a crash or an outage interrupts: refunded once, never two live plans, nothing left over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

import pytest

from app.accounts.access.audit_log import SYSTEM
from app.billing.moves.set_plans import PlanOrder
from app.billing.subscriptions.given_plans import PaidPlan
from app.db.tables.purchases import RefundState
from app.errors import Conflict
from app.flows.flow_context import FlowContext
from app.flows.moves.set_plan import finish_under_way, plan_to_set, refund_again, set_plan
from app.flows.moves.transition import transition_plan
from app.main import SANDBOX_SECRET_KEY
from app.payments.gateway_errors import GatewayRefused
from app.payments.gateway_values import ProviderRefund
from app.payments.stripe_gateway import StripeGateway, stripe_gateway
from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.plan_moves import (
    OPERATOR_ADDRESS,
    audited,
    dispute,
    leave,
    live_at_stripe,
    moves,
    on_legacy,
    plan_refunds,
    refunded,
    set_by_operator,
)
from tests.support.previews import jump_to
from tests.support.returned_money import Crash, crashing
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    change_seats,
    codes,
    customer_of,
    open_page,
    paid_minor,
    pay_page,
    stripe_subscriptions,
    subscription,
)

# After each commit, and each call that changes something at Stripe; whoever dies elsewhere leaves what one of these leaves.
_LEAVING: Final = (
    "transition.begin:after-commit",
    "move.decide:after-commit",
    "stripe.end_now:after",
    "move.leave:after-commit",
    "stripe.create_refund:after",
    "plan_refund.sent:after-commit",
)
_REPLACING: Final = (
    "set_plan.begin:after-commit",
    "stripe.end_now:after",
    "move.leave:after-commit",
    "move.claim:after-commit",
    "stripe.create_subscription:after",
    "move.arrive:after-commit",
    "stripe.create_refund:after",
)


class RefusingGateway(StripeGateway):
    """A gateway that refuses every refund, as Stripe does for a reason of its own."""

    async def refund(
        self, payment_id: str, *, amount_minor: int, metadata: Mapping[str, str], key: str
    ) -> ProviderRefund:
        raise GatewayRefused("Refunds are not possible at the moment.")


def _refusing(backend: RunningBackend) -> FlowContext:
    usual = stripe_gateway(SANDBOX_SECRET_KEY, base_url=backend.sandbox.url)
    return replace(backend.parts.flow_context, gateway=RefusingGateway(usual.stripe, usual.fault))


async def _leave_with(context: FlowContext, person: Person, key: str | None = None) -> None:
    async def authorize(_: object) -> object:
        return None

    await transition_plan(
        context,
        person.workspace_id,
        idempotency_key=key or uuid4().hex,
        actor=SYSTEM,
        authorize=authorize,  # pyright: ignore[reportArgumentType]
    )


async def _has_left_once(backend: RunningBackend, person: Person) -> None:
    """The workspace is on the new plan, nothing is live at Stripe, and all that was paid has gone back once."""

    async def is_done() -> bool:
        [move] = [each for each in await moves(backend, person) if each.kind == "TRANSITION"]
        return move.state == "DONE"

    await eventually(is_done)
    found = await subscription(backend, person)
    assert (found["plan"]["code"], found["status"]) == ("pay-as-you-go", "ACTIVE")
    assert await live_at_stripe(backend, person) == []
    assert await refunded(backend, person) == [3248]
    assert [each.status for each in await plan_refunds(backend, person)] == [RefundState.SUCCEEDED]


@pytest.mark.parametrize("point", _LEAVING)
async def test_a_transition_that_died_anywhere_is_finished_when_it_is_asked_for_again(
    dollars: RunningBackend, point: str
) -> None:
    person = await on_legacy(dollars)
    with pytest.raises(Crash):
        await _leave_with(crashing(dollars, point, passing=1), person, key="one")

    assert codes(await leave(dollars, person, key="one")) in ([], ["PAYMENT_PENDING"])
    await dollars.advance("PT2M")
    assert codes(await leave(dollars, person, key="one")) == []

    await _has_left_once(dollars, person)


@pytest.mark.parametrize("point", _LEAVING)
async def test_a_transition_that_died_anywhere_is_finished_by_the_worker(dollars: RunningBackend, point: str) -> None:
    person = await on_legacy(dollars)
    with pytest.raises(Crash):
        await _leave_with(crashing(dollars, point, passing=1), person)

    await dollars.advance("PT2M")

    await _has_left_once(dollars, person)


@pytest.mark.parametrize("point", _REPLACING)
async def test_a_plan_that_replaces_another_is_begun_once_wherever_the_command_died(
    dollars: RunningBackend, point: str
) -> None:
    person = await on_legacy(dollars)
    with pytest.raises(Crash):
        await set_by_operator(dollars, person, "enterprise", context=crashing(dollars, point, passing=1), base="500.00")

    if await finish_under_way(dollars.parts.flow_context, person.workspace_id) is None:
        await dollars.advance("PT2M")

    async def is_done() -> bool:
        return [each.state for each in await moves(dollars, person)] == ["DONE", "DONE"]

    await eventually(is_done)
    found = await subscription(dollars, person)
    assert (found["plan"]["code"], found["status"]) == ("enterprise", "ACTIVE")
    assert len(await live_at_stripe(dollars, person)) == 1
    assert len(await stripe_subscriptions(dollars, person)) == 2
    assert paid_minor(await dollars.charges(person)) == [3248, 54125]
    assert await refunded(dollars, person) == [3248]


async def test_while_a_workspace_is_moved_nothing_else_of_its_plan_changes(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars, "professional")
    with pytest.raises(Crash):
        await _leave_with(crashing(dollars, "move.decide:after-commit", passing=1), person)

    assert codes(await change_seats(dollars, person, 9)) == ["PAYMENT_PENDING"]
    assert codes(await leave(dollars, person, key="another")) == ["PAYMENT_PENDING"]
    await dollars.advance("PT2M")

    assert await live_at_stripe(dollars, person) == []


async def test_where_stripe_does_not_end_it_now_it_is_ended_once_stripe_answers(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)
    await dollars.sandbox.fail("error_500", "/v1/subscriptions/.*", method="DELETE", times=20)

    assert codes(await leave(dollars, person, key="one")) == ["PAYMENT_PENDING"]
    assert (await subscription(dollars, person))["plan"]["code"] == "essential"
    await dollars.sandbox.restore()
    await dollars.advance("PT2M")

    await _has_left_once(dollars, person)
    assert codes(await leave(dollars, person, key="one")) == []


async def test_a_given_plan_whose_end_passes_before_the_one_before_has_ended_is_not_begun(
    dollars: RunningBackend,
) -> None:
    person = await on_legacy(dollars)
    ends_at = dollars.database.clock.now() + timedelta(seconds=5)
    with pytest.raises(Crash):
        await set_by_operator(
            dollars,
            person,
            "enterprise",
            context=crashing(dollars, "stripe.end_now:after", passing=1),
            ends_at=ends_at,
        )

    await dollars.advance("PT10M")

    [_, move] = await moves(dollars, person)
    assert (move.state, move.failure) == ("FAILED", "Its end had passed before it could begin.")
    assert (await subscription(dollars, person))["plan"]["code"] == "pay-as-you-go"
    assert await live_at_stripe(dollars, person) == []
    assert len(await refunded(dollars, person)) == 1


async def test_where_stripe_takes_no_refund_now_the_plan_is_left_and_the_money_goes_back_later(
    dollars: RunningBackend,
) -> None:
    person = await on_legacy(dollars)
    await dollars.sandbox.fail("drop_after", "/v1/refunds", times=20)

    assert codes(await leave(dollars, person)) == []
    assert (await subscription(dollars, person))["plan"]["code"] == "pay-as-you-go"
    await dollars.sandbox.restore()
    await dollars.advance("PT2M")

    await _has_left_once(dollars, person)


async def test_where_stripe_is_away_at_the_start_nothing_is_begun(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)
    await dollars.sandbox.fail("error_500", "/v1/subscriptions", method="GET", times=20)

    assert codes(await leave(dollars, person)) == ["PAYMENT_UNAVAILABLE"]
    await dollars.sandbox.restore()

    assert len(await live_at_stripe(dollars, person)) == 1
    assert codes(await leave(dollars, person)) == []


async def test_a_refund_that_stripe_refuses_is_told_to_the_operator_who_can_repeat_it(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)

    await _leave_with(_refusing(dollars), person)

    [failed] = await plan_refunds(dollars, person)
    assert (failed.status, failed.failure) == (RefundState.FAILED, "Refunds are not possible at the moment.")
    assert (await subscription(dollars, person))["plan"]["code"] == "pay-as-you-go"
    assert ("subscription.refund_failed", "system") in await audited(dollars, person)

    async def is_mailed() -> bool:
        return any("32.48 USD" in mail["text"] for mail in await mails_to(dollars, OPERATOR_ADDRESS))

    await eventually(is_mailed)
    assert await refund_again(dollars.parts.flow_context, person.workspace_id) == 1
    assert await refund_again(dollars.parts.flow_context, person.workspace_id) == 0
    assert await refunded(dollars, person) == [3248]
    assert [each.is_settled for each in await plan_refunds(dollars, person)] == [True, False]


async def test_a_refund_that_the_bank_returns_later_has_failed(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars, card="pm_card_refundFail")
    await leave(dollars, person)
    await dollars.advance("PT5M")

    async def has_failed() -> bool:
        [refund] = await plan_refunds(dollars, person)
        return refund.status == RefundState.FAILED

    await eventually(has_failed)
    assert ("subscription.refund_failed", "system") in await audited(dollars, person)


async def test_a_dispute_between_deciding_and_refunding_makes_the_refund_fail(dollars: RunningBackend) -> None:
    person = await on_legacy(dollars)
    with pytest.raises(Crash):
        await _leave_with(crashing(dollars, "move.leave:after-commit", passing=1), person)
    [charge] = await dollars.charges(person)
    await dispute(dollars, charge)

    await dollars.advance("PT2M")

    [failed] = await plan_refunds(dollars, person)
    assert failed.status == RefundState.FAILED
    assert "charged back" in (failed.failure or "")


async def test_a_refund_whose_key_may_be_forgotten_is_looked_up_and_not_sent_again(dollars: RunningBackend) -> None:
    sent = await on_legacy(dollars)
    with pytest.raises(Crash):
        await _leave_with(crashing(dollars, "stripe.create_refund:after", passing=1), sent)
    unsent = await on_legacy(dollars)
    with pytest.raises(Crash):
        await _leave_with(crashing(dollars, "stripe.create_refund:before", passing=1), unsent)
    await dollars.sandbox.fail("error_500", "/v1/refunds", method="GET", times=1_000)
    await jump_to(dollars, dollars.database.clock.now() + timedelta(hours=24))
    await dollars.sandbox.restore()

    await dollars.advance("PT5M")

    assert [each.status for each in await plan_refunds(dollars, sent)] == [RefundState.SUCCEEDED]
    [failed] = await plan_refunds(dollars, unsent)
    assert (failed.status, failed.failure) == (RefundState.FAILED, "It could not be sent in time.")
    assert (await refunded(dollars, sent), await refunded(dollars, unsent)) == ([3248], [])


async def test_who_renews_between_a_crash_and_the_end_gets_back_what_the_renewal_was_worth(
    dollars: RunningBackend,
) -> None:
    person = await on_legacy(dollars)
    with pytest.raises(Crash):
        await _leave_with(crashing(dollars, "move.decide:after-commit", passing=1), person)
    await dollars.sandbox.fail("error_500", "/v1/subscriptions/.*", method="DELETE", times=10_000)
    await jump_to(dollars, dollars.database.clock.now() + timedelta(days=31, hours=3))
    assert paid_minor(await dollars.charges(person)) == [3248, 3248]
    await dollars.sandbox.restore()

    await dollars.advance("PT5M")

    [refund] = await plan_refunds(dollars, person)
    newest = (await dollars.charges(person))[0]
    assert refund.payment_id == newest["payment_intent"]
    assert 3000 < refund.amount_minor < 3248


async def test_no_page_to_subscribe_on_is_opened_while_a_workspace_is_moved(own_messaging: RunningBackend) -> None:
    person = await own_messaging.sign_up()
    await own_messaging.add_card(person)
    context = crashing(own_messaging, "move.leave:after-commit", passing=1)
    with pytest.raises(Crash):
        await set_by_operator(own_messaging, person, "starter", context=context)

    assert codes(await open_page(own_messaging, person, "business")) == ["PAYMENT_PENDING"]
    await own_messaging.advance("PT2M")

    assert (await subscription(own_messaging, person))["plan"]["code"] == "starter"
    assert len(await live_at_stripe(own_messaging, person)) == 1


async def test_a_plan_whose_end_passes_before_it_is_given_is_not_given(dollars: RunningBackend) -> None:
    person = await dollars.sign_up()
    ends_at = dollars.database.clock.now() + timedelta(hours=1)
    context = crashing(dollars, "set_plan.begin:after-commit", passing=1)
    with pytest.raises(Crash):
        await set_by_operator(dollars, person, "enterprise", context=context, ends_at=ends_at)

    await jump_to(dollars, ends_at + timedelta(hours=1))
    await dollars.advance("PT2M")

    [move] = await moves(dollars, person)
    assert move.state == "FAILED"
    assert (await subscription(dollars, person))["plan"]["code"] == "pay-as-you-go"


async def test_a_page_that_was_open_can_not_be_paid_once_a_plan_is_given(own_messaging: RunningBackend) -> None:
    person = await own_messaging.sign_up()
    page = await open_page(own_messaging, person, "starter")

    await set_by_operator(own_messaging, person, "enterprise")

    assert await pay_page(own_messaging, page["url"]) != 303
    assert (await subscription(own_messaging, person))["plan"]["code"] == "enterprise"


async def test_what_was_bought_at_this_moment_is_not_replaced_unseen(own_messaging: RunningBackend) -> None:
    person = await own_messaging.sign_up()
    page = await open_page(own_messaging, person, "starter")
    await own_messaging.sandbox.deliver("hold")
    context = own_messaging.parts.flow_context
    planned = await plan_to_set(context, person.workspace_id, PlanOrder(plan_code="enterprise"), ends_at=None)
    assert await pay_page(own_messaging, page["url"]) == 303

    with pytest.raises(Conflict, match="at this moment"):
        await set_plan(context, planned)

    assert await moves(own_messaging, person) == []
    assert (await subscription(own_messaging, person))["plan"]["code"] == "starter"
    assert len(await live_at_stripe(own_messaging, person)) == 1


async def test_a_plan_is_not_given_where_support_began_a_paid_one_before(own_messaging: RunningBackend) -> None:
    person = await own_messaging.sign_up()
    await own_messaging.add_card(person)
    context = crashing(own_messaging, "set_plan.begin:after-commit", passing=1)
    with pytest.raises(Crash):
        await set_by_operator(own_messaging, person, "enterprise", context=context)
    prices = await own_messaging.sandbox.listed("/v1/prices")
    [price] = [each for each in prices if "plan-starter-seat-month" in (each["lookup_key"] or "")]
    customer = await customer_of(own_messaging, person)
    begun = {"customer": customer, "items[0][price]": price["id"], "items[0][quantity]": "1"}
    await own_messaging.sandbox.post("/v1/subscriptions", **begun)

    await own_messaging.advance("PT10M")

    [move] = await moves(own_messaging, person)
    assert (move.state, move.failure) == ("FAILED", PaidPlan().message)
    assert (await subscription(own_messaging, person))["plan"]["code"] == "starter"
    assert codes(await change_seats(own_messaging, person, 2)) == []
