"""What the seller's staff does to a subscription in Stripe's dashboard, and customers in Stripe's portal, is noticed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    customer_of,
    keep,
    paid_minor,
    provider_id,
    stripe_subscriptions,
    subscribe,
    subscription,
)


async def _until(backend: RunningBackend, person: Person, **wanted: object) -> dict[str, Any]:
    """Wait until the subscription shows these values."""

    async def look() -> dict[str, Any] | None:
        found = await subscription(backend, person)
        found["code"] = found["plan"]["code"]
        found["total"] = found["seats"]["total"]
        return found if all(found[name] == value for name, value in wanted.items()) else None

    found = await eventually(look)
    assert found is not None
    return found


async def test_canceled_at_once_in_the_dashboard_the_workspace_falls_back(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=3)

    await backend.sandbox.delete(f"/v1/subscriptions/{await provider_id(backend, person)}")

    await _until(backend, person, code="free", status="CANCELED")


async def test_an_end_that_is_set_as_a_time_counts_as_canceled_and_can_be_taken_back(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    begun = await subscribe(backend, person, "team", seats=3)
    end = datetime.fromisoformat(begun["currentPeriod"]["end"])

    await backend.sandbox.post(
        f"/v1/subscriptions/{await provider_id(backend, person)}", cancel_at=str(int(end.timestamp()))
    )

    await _until(backend, person, cancelAtPeriodEnd=True)
    assert (await keep(backend, person))["userErrors"] == []
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    assert stripe["cancel_at"] is None


async def test_a_price_of_nobodys_making_keeps_the_plan_as_it_was(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=3)
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    [item] = stripe["items"]["data"]
    price = await backend.sandbox.post(
        "/v1/prices",
        **{
            "currency": "eur",
            "unit_amount": "100",
            "recurring[interval]": "month",
            "product": item["price"]["product"],
            "tax_behavior": "inclusive",
        },
    )

    await backend.sandbox.post(
        f"/v1/subscriptions/{stripe['id']}",
        **{"items[0][id]": item["id"], "items[0][price]": price["id"], "items[0][quantity]": "40"},
    )
    await backend.sandbox.post(f"/v1/subscriptions/{stripe['id']}", cancel_at_period_end="true")

    found = await _until(backend, person, cancelAtPeriodEnd=True)
    assert (found["code"], found["total"]) == ("team", 3)


async def test_seats_and_plans_that_support_changes_in_the_dashboard_are_what_counts(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=3)
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    [item] = stripe["items"]["data"]

    await backend.sandbox.post(
        f"/v1/subscriptions/{stripe['id']}",
        **{"items[0][id]": item["id"], "items[0][price]": item["price"]["id"], "items[0][quantity]": "8"},
    )

    await _until(backend, person, code="team", total=8)


async def test_a_subscription_that_support_makes_by_hand_is_taken_over(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    prices = await backend.sandbox.listed("/v1/prices")
    [price] = [each for each in prices if "plan-personal-base-month" in (each["lookup_key"] or "")]

    await backend.sandbox.post(
        "/v1/subscriptions",
        **{
            "customer": await customer_of(backend, person),
            "items[0][price]": price["id"],
            "billing_mode[type]": "flexible",
        },
    )

    await _until(backend, person, code="personal", status="ACTIVE")


async def test_what_the_seller_bills_beside_the_catalog_is_left_alone(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    product = await backend.sandbox.post("/v1/products", name="Hardware")
    price = await backend.sandbox.post(
        "/v1/prices",
        **{"currency": "eur", "unit_amount": "700", "recurring[interval]": "month", "product": product["id"]},
    )

    await backend.sandbox.post(
        "/v1/subscriptions",
        **{
            "customer": await customer_of(backend, person),
            "items[0][price]": price["id"],
            "billing_mode[type]": "flexible",
        },
    )
    await backend.advance("P2D")

    assert [each["status"] for each in await stripe_subscriptions(backend, person)] == ["active", "active"]
    assert (await subscription(backend, person))["plan"]["code"] == "personal"


async def test_a_coupon_of_the_dashboard_is_what_the_renewal_charges(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    coupon = await backend.sandbox.post("/v1/coupons", percent_off="100", duration="forever")
    stripe = await provider_id(backend, person)
    await backend.sandbox.post(f"/v1/subscriptions/{stripe}", **{"discounts[0][coupon]": coupon["id"]})

    await backend.advance("P32D")

    found = await subscription(backend, person)
    assert (found["plan"]["code"], found["status"]) == ("personal", "ACTIVE")
    assert paid_minor(await backend.charges(person)) == [900]
    # a plan that costs nothing by a coupon can be left, and left for more
    assert codes(await change_plan(backend, person, "team", seats=2)) == []
    assert (await subscription(backend, person))["plan"]["code"] == "team"


async def test_a_schedule_made_by_hand_does_not_stand_in_the_way(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=3)
    stripe = await provider_id(backend, person)
    await backend.sandbox.post("/v1/subscription_schedules", from_subscription=stripe)

    assert codes(await change_seats(backend, person, 5)) == []
    assert codes(await cancel(backend, person)) == []

    found = await subscription(backend, person)
    assert (found["seats"]["total"], found["cancelAtPeriodEnd"]) == (5, True)


async def test_downgrade_then_upgrade_then_cancel_leaves_what_was_said_last(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "business", seats=6)

    assert codes(await change_plan(backend, person, "team", seats=4)) == []
    assert codes(await change_seats(backend, person, 8)) == []
    assert (await subscription(backend, person))["pendingChange"] is None
    assert codes(await cancel(backend, person)) == []

    found = await subscription(backend, person)
    assert (found["plan"]["code"], found["seats"]["total"]) == ("business", 8)
    assert found["pendingChange"]["kind"] == "CANCELLATION"
    await backend.advance("P32D")
    assert (await subscription(backend, person))["plan"]["code"] == "free"
    assert len(await backend.charges(person)) == 2


async def test_yearly_to_monthly_with_seats_begins_a_month_when_the_year_ends(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    begun = await subscribe(backend, person, "team", seats=4, interval="YEAR")

    changed = await change_plan(backend, person, "team", interval="MONTH", seats=2)

    assert changed["userErrors"] == []
    pending = changed["subscription"]["pendingChange"]
    assert (pending["interval"], pending["seats"]) == ("MONTH", 2)
    end = datetime.fromisoformat(begun["currentPeriod"]["end"])
    left = end - backend.database.clock.now() + timedelta(hours=2)
    await backend.advance(f"PT{int(left.total_seconds())}S")
    found = await subscription(backend, person)
    assert (found["interval"], found["seats"]["total"]) == ("MONTH", 2)
    period = found["currentPeriod"]
    assert datetime.fromisoformat(period["end"]) - datetime.fromisoformat(period["start"]) < timedelta(days=32)
    # 4 x 190.00 for the year, then 2 x 19.00 for the month
    assert paid_minor(await backend.charges(person)) == [76000, 3800]
