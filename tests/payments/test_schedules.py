"""Schedules through the gateway: what is decided for later comes at its time, or is taken back."""

from __future__ import annotations

import httpx
import pytest
import stripe

from app.payments.gateway import Gateway
from app.payments.gateway_errors import GatewayRefused
from app.payments.subscription_values import PhaseLength, PricedQuantity, ProviderSubscription, SchedulePhase
from tests.payments.changes import new_key, new_tax_rate, subscribed
from tests.sandbox.subscriptions.subscribing import new_price, to_renewal


def _phases(
    subscription: ProviderSubscription, later: PricedQuantity, *, length: PhaseLength, restarts: bool = False
) -> list[SchedulePhase]:
    """The present period as it is, then another price or quantity."""
    [item] = subscription.items
    present = SchedulePhase(
        items=(PricedQuantity(item.price_id, item.quantity),),
        starts_at=item.period_start,
        ends_at=item.period_end,
        tax_rate_ids=subscription.tax_rate_ids,
        card_id=subscription.default_card_id,
    )
    following = SchedulePhase(
        items=(later,),
        ends_at=length,
        restarts_period=restarts,
        tax_rate_ids=subscription.tax_rate_ids,
        card_id=subscription.default_card_id,
        metadata={"terms_id": "small-1"},
    )
    return [present, following]


async def test_a_downgrade_waits_for_the_renewal_bills_nothing_before_and_shows_in_the_next_bill(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    rate = await new_tax_rate(client)
    subscription = await subscribed(gateway, client, quantity=3, tax_rate=rate)
    small = PricedQuantity(await new_price(client, 400), 1)

    made = await gateway.create_schedule(subscription.id, key=new_key())
    assert (made.subscription_id, made.is_active, len(made.phases)) == (subscription.id, True, 1)
    assert made.phase_started_at == subscription.items[0].period_start
    planned = await gateway.set_phases(made.id, _phases(subscription, small, length=PhaseLength.MONTH), key=new_key())
    assert [phase.items for phase in planned.phases][1] == (small,)
    assert [phase.tax_rate_ids for phase in planned.phases] == [(rate,), (rate,)]
    assert planned.phases[1].starts_at == subscription.items[0].period_end
    meanwhile = await gateway.subscription(subscription.id)
    assert (meanwhile.schedule_id, meanwhile.items, meanwhile.metadata) == (made.id, subscription.items, {})
    assert meanwhile.latest_invoice_id == subscription.latest_invoice_id
    preview = await gateway.preview_next(subscription.id)

    await to_renewal(web, await client.v1.subscriptions.retrieve_async(subscription.id))

    renewed = await gateway.subscription(subscription.id)
    assert [(item.price_id, item.quantity) for item in renewed.items] == [(small.price_id, 1)]
    assert renewed.metadata == {"terms_id": "small-1"}
    invoice = await gateway.invoice(str(renewed.latest_invoice_id))
    assert invoice is not None
    assert (preview.total_minor, preview.tax_minor) == (invoice.total_minor, invoice.tax_minor) == (400, 69)


async def test_a_phase_that_changes_the_interval_is_collected_from_its_start(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribed(gateway, client)
    yearly = PricedQuantity(await new_price(client, 9000, "year"), 1)
    schedule = await gateway.create_schedule(subscription.id, key=new_key())
    phases = _phases(subscription, yearly, length=PhaseLength.YEAR, restarts=True)
    planned = await gateway.set_phases(schedule.id, phases, key=new_key())
    assert planned.phases[1].restarts_period

    await to_renewal(web, await client.v1.subscriptions.retrieve_async(subscription.id))

    renewed = await gateway.subscription(subscription.id)
    [item] = renewed.items
    assert item.interval == "year"
    assert item.period_start == subscription.items[0].period_end
    invoice = await gateway.invoice(str(renewed.latest_invoice_id))
    assert invoice is not None
    assert invoice.amount_paid_minor == 9000


async def test_a_schedule_is_released_once_and_leaves_the_subscription_as_it_is(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribed(gateway, client, quantity=2)
    schedule = await gateway.create_schedule(subscription.id, key=new_key())
    small = PricedQuantity(subscription.items[0].price_id, 1)
    await gateway.set_phases(schedule.id, _phases(subscription, small, length=PhaseLength.MONTH), key=new_key())

    released = await gateway.release_schedule(schedule.id, key=new_key())

    assert (released.is_active, released.subscription_id) == (False, None)
    assert await gateway.release_schedule(schedule.id, key=new_key()) == released
    assert await gateway.schedule(schedule.id) == released
    await to_renewal(web, await client.v1.subscriptions.retrieve_async(subscription.id))
    renewed = await gateway.subscription(subscription.id)
    assert (renewed.schedule_id, renewed.items[0].quantity) == (None, 2)
    with pytest.raises(GatewayRefused):
        await gateway.set_phases(schedule.id, _phases(renewed, small, length=PhaseLength.MONTH), key=new_key())


async def test_a_subscription_has_one_schedule(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription = await subscribed(gateway, client)
    key = new_key()
    schedule = await gateway.create_schedule(subscription.id, key=key)

    assert await gateway.create_schedule(subscription.id, key=key) == schedule
    with pytest.raises(GatewayRefused):
        await gateway.create_schedule(subscription.id, key=new_key())


async def test_a_schedule_whose_last_phase_is_over_is_fine_to_release(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribed(gateway, client)
    schedule = await gateway.create_schedule(subscription.id, key=new_key())

    await to_renewal(web, await client.v1.subscriptions.retrieve_async(subscription.id))

    assert not (await gateway.release_schedule(schedule.id, key=new_key())).is_active
