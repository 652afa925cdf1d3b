"""Subscription schedules: phases entered, released, canceled; and what is refused while one is attached."""

from __future__ import annotations

from typing import Any

import httpx
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.refusals import refusal
from tests.sandbox.subscriptions.subscribing import (
    HOUR,
    latest_invoice,
    move_to,
    new_price,
    only_item,
    subscribe,
    to_renewal,
    use_card,
    with_quantity,
)


async def schedule_next(
    client: stripe.StripeClient, subscription: stripe.Subscription, price: str, quantity: int = 1, **given: Any
) -> stripe.SubscriptionSchedule:
    """Let a subscription have another price or quantity from its next period on, which lasts a month unless given."""
    schedule = await client.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    [current] = schedule.phases
    params: Any = {"end_behavior": given.pop("end_behavior", "release")}
    items = [{"price": item.price, "quantity": item.quantity} for item in current.items]
    first: Any = {"items": items, "start_date": current.start_date, "end_date": current.end_date}
    second: Any = {
        "items": [{"price": price, "quantity": quantity}],
        "duration": {"interval": "month"},
        "proration_behavior": "none",
    }
    params["phases"] = [first, second | given]
    return await client.v1.subscription_schedules.update_async(schedule.id, params)


async def test_a_schedule_made_from_a_subscription_is_its_current_period(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client, quantity=2)
    schedule = await client.v1.subscription_schedules.create_async({"from_subscription": subscription.id})

    [phase] = schedule.phases
    item = only_item(subscription)
    assert (schedule.status, schedule.end_behavior, schedule.subscription) == ("active", "release", subscription.id)
    assert (phase.start_date, phase.end_date) == (item.current_period_start, item.current_period_end)
    assert [(each.price, each.quantity) for each in phase.items] == [(item.price.id, 2)]
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).schedule == schedule.id
    twice = await refusal(client.v1.subscription_schedules.create_async({"from_subscription": subscription.id}))
    assert (twice.status, twice.param) == (400, "from_subscription")


async def test_after_its_last_phase_a_schedule_lets_the_subscription_go(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client, quantity=3)
    schedule = await schedule_next(client, subscription, only_item(subscription).price.id, 1)
    await to_renewal(web, subscription)
    renewed = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (only_item(renewed).quantity, renewed.schedule) == (1, schedule.id)
    await to_renewal(web, renewed)

    free = await client.v1.subscriptions.retrieve_async(subscription.id)
    released = await client.v1.subscription_schedules.retrieve_async(schedule.id)
    assert (free.status, free.schedule) == ("active", None)
    assert (released.status, released.subscription, released.released_subscription) == (
        "released",
        None,
        subscription.id,
    )
    names = ("created", "updated", "expiring", "released", "completed", "canceled", "aborted")
    types = [f"subscription_schedule.{name}" for name in names]
    assert await event_types(client, schedule.id, types) == [
        "subscription_schedule.created",
        "subscription_schedule.updated",
        "subscription_schedule.updated",
        "subscription_schedule.expiring",
        "subscription_schedule.released",
    ]


async def test_a_schedule_that_cancels_sets_the_end_once_its_last_phase_runs(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    schedule = await schedule_next(client, subscription, only_item(subscription).price.id, end_behavior="cancel")
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).cancel_at is None
    await to_renewal(web, subscription)
    renewed = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert renewed.cancel_at == only_item(renewed).current_period_end
    await to_renewal(web, renewed)

    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "canceled"
    assert (await client.v1.subscription_schedules.retrieve_async(schedule.id)).status == "completed"


async def test_an_item_that_a_phase_adds_as_the_period_ends_is_billed_by_the_renewal(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    other, added = await new_price(client, 300), await new_price(client, 50)
    items = [{"price": other, "quantity": 2}, {"price": added, "quantity": 3}]
    await schedule_next(client, subscription, other, items=items)

    await to_renewal(web, subscription)

    renewal = await latest_invoice(client, subscription)
    assert sorted(line.amount for line in renewal.lines.data) == [150, 600]
    renewed = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert len({item.current_period_end for item in renewed["items"].data}) == 1


async def test_a_phase_of_years_bills_the_year_only_if_it_restarts_the_cycle(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    yearly = await new_price(client, 9600, "year")
    restarted = await subscribe(client)
    kept = await subscribe(client)
    await schedule_next(client, restarted, yearly, duration={"interval": "year"}, billing_cycle_anchor="phase_start")
    await schedule_next(client, kept, yearly, duration={"interval": "year"})
    await to_renewal(web, restarted)
    await to_renewal(web, kept)

    invoice = await latest_invoice(client, restarted)
    assert (invoice.total, invoice.status) == (9600, "paid")
    now = await client.v1.subscriptions.retrieve_async(restarted.id)
    assert now.billing_cycle_anchor == only_item(restarted).current_period_end
    assert only_item(now).current_period_start == only_item(restarted).current_period_end
    unbilled = await client.v1.subscriptions.retrieve_async(kept.id)
    assert unbilled.latest_invoice == kept.latest_invoice
    assert only_item(unbilled).price.id == yearly
    assert only_item(unbilled).current_period_start == only_item(kept).current_period_start


async def test_while_a_schedule_is_attached_the_end_is_not_set_on_the_subscription(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    schedule = await schedule_next(client, subscription, only_item(subscription).price.id)
    for params, name in (({"cancel_at_period_end": True}, "cancel_at_period_end"), ({"cancel_at": ""}, "cancel_at")):
        given: Any = params
        refused = await refusal(client.v1.subscriptions.update_async(subscription.id, given))
        assert (refused.status, refused.param) == (400, name)
    await client.v1.subscription_schedules.release_async(schedule.id)
    ending = await client.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    assert ending.cancel_at_period_end
    again = await refusal(client.v1.subscription_schedules.release_async(schedule.id))
    assert again.status == 400


async def test_later_phases_overwrite_a_direct_change(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    subscription = await subscribe(client, quantity=3)
    schedule = await schedule_next(client, subscription, only_item(subscription).price.id, 1)
    await move_to(web, only_item(subscription).current_period_start + HOUR)
    await with_quantity(client, subscription, 5, proration_behavior="always_invoice")

    split = await client.v1.subscription_schedules.retrieve_async(schedule.id)
    assert [phase.items[0].quantity for phase in split.phases] == [3, 5, 1]
    await to_renewal(web, subscription)
    assert only_item(await client.v1.subscriptions.retrieve_async(subscription.id)).quantity == 1


async def test_a_phase_drops_an_update_that_waits_for_its_payment(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client, 90000, quantity=3)
    await schedule_next(client, subscription, only_item(subscription).price.id, 1)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    await move_to(web, only_item(subscription).current_period_end - HOUR)
    waiting = await with_quantity(
        client, subscription, 5, proration_behavior="always_invoice", payment_behavior="pending_if_incomplete"
    )
    assert waiting.pending_update is not None
    await move_to(web, only_item(subscription).current_period_end + 60)

    now = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (now.pending_update, only_item(now).quantity) == (None, 1)
    assert (await client.v1.invoices.retrieve_async(str(waiting.latest_invoice))).status == "void"


async def test_a_rewritten_current_phase_is_prorated_as_asked(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    schedule = await client.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    [current] = schedule.phases
    phase: Any = {
        "items": [{"price": only_item(subscription).price.id, "quantity": 2}],
        "start_date": current.start_date,
        "end_date": current.end_date,
    }
    await client.v1.subscription_schedules.update_async(
        schedule.id, {"phases": [phase], "proration_behavior": "always_invoice"}
    )
    invoice = await latest_invoice(client, subscription)
    assert (invoice.status, len(invoice.lines.data)) == ("paid", 2)
    assert 990 < invoice.total <= 1000


async def test_canceling_a_schedule_cancels_its_subscription_with_a_final_invoice(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    schedule = await client.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    canceled = await client.v1.subscription_schedules.cancel_async(schedule.id)
    assert canceled.status == "canceled"
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "canceled"
    assert (await latest_invoice(client, subscription)).total < 0


async def test_phases_must_follow_one_another_from_the_current_one_on(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    schedule = await client.v1.subscription_schedules.create_async({"from_subscription": subscription.id})
    [current] = schedule.phases
    items: Any = [{"price": only_item(subscription).price.id, "quantity": 1}]
    first: Any = {"items": items, "start_date": current.start_date, "end_date": current.end_date}
    month: Any = {"duration": {"interval": "month"}}
    for phases, param in (
        ([first | {"start_date": current.start_date + 1}], "phases[0][start_date]"),
        ([{"items": items, **month}], "phases[0][start_date]"),
        ([first, {"items": items, **month, "start_date": current.end_date + 1}], "phases[1][start_date]"),
        ([first, {"items": items}], "phases[1][end_date]"),
        ([first, {"items": [{"price": "price_none"}], **month}], "phases[1][items][0][price]"),
    ):
        given: Any = {"phases": phases}
        refused = await refusal(client.v1.subscription_schedules.update_async(schedule.id, given))
        assert (refused.status, refused.param) == (400, param)


async def test_a_subscription_that_is_not_paid_in_the_end_ends_its_schedule(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    schedule = await schedule_next(
        client, subscription, only_item(subscription).price.id, duration={"interval": "year"}
    )
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    await to_renewal(web, subscription, 20 * 24 * HOUR)
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "canceled"
    assert (await client.v1.subscription_schedules.retrieve_async(schedule.id)).status == "canceled"
    assert (await event_types(client, schedule.id))[-1] == "subscription_schedule.aborted"
