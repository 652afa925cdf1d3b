"""Pages on which a workspace begins to subscribe: one is open, and one subscription comes of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    codes,
    open_page,
    paid_minor,
    pay_page,
    stripe_subscriptions,
    subscribe,
    subscription,
)


async def _is_settled(backend: RunningBackend, person: Person, live: int = 1) -> list[str]:
    """Wait until one subscription is live and no page is unsettled; the statuses at Stripe, the newest first."""

    async def look() -> list[str] | None:
        statuses = [each["status"] for each in await stripe_subscriptions(backend, person)]
        return statuses if statuses.count("active") == live else None

    found = await eventually(look)
    assert found is not None
    return found


async def test_opening_another_page_closes_the_first(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    first = await open_page(backend, person, "personal")
    second = await open_page(backend, person, "team", seats=2)
    assert first["userErrors"] == second["userErrors"] == []

    assert await pay_page(backend, first["url"]) != 303
    assert await pay_page(backend, second["url"]) == 303

    await _is_settled(backend, person)

    async def is_on_team() -> bool:
        return (await subscription(backend, person))["plan"]["code"] == "team"

    await eventually(is_on_team)


async def test_the_same_key_answers_with_the_same_page(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    pages = await asyncio.gather(*(open_page(backend, person, "personal", idempotencyKey="one") for _ in range(5)))

    assert len({page["url"] for page in pages}) == 1
    assert codes(await open_page(backend, person, "team", seats=3, idempotencyKey="one")) == ["IDEMPOTENCY_CONFLICT"]


async def test_of_many_pages_opened_at_once_one_stays_open(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await open_page(backend, person, "personal")

    pages = await asyncio.gather(*(open_page(backend, person, "personal") for _ in range(6)))

    paid = [await pay_page(backend, page["url"]) for page in pages if page["url"] is not None]
    assert paid.count(303) == 1
    await _is_settled(backend, person)


async def test_a_page_that_nobody_used_lapses_and_its_key_says_so(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    opened = await open_page(backend, person, "personal", idempotencyKey="late")
    await backend.advance("PT32M")

    assert await pay_page(backend, opened["url"]) != 303
    assert codes(await open_page(backend, person, "personal", idempotencyKey="late")) == ["CONFLICT"]
    assert codes(await open_page(backend, person, "personal")) == []


async def test_two_subscriptions_begun_at_once_leave_one_and_the_other_is_refunded(
    own_backend: RunningBackend,
) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.sandbox.deliver("drop")
    await subscribe_unseen(backend, person)
    other = await backend.sandbox.post(
        "/v1/checkout/sessions",
        **{
            "mode": "subscription",
            "customer": (await stripe_subscriptions(backend, person))[0]["customer"],
            "line_items[0][price]": (await stripe_subscriptions(backend, person))[0]["items"]["data"][0]["price"]["id"],
            "line_items[0][quantity]": "1",
            "subscription_data[billing_mode][type]": "flexible",
            "success_url": "http://127.0.0.1/",
            "cancel_url": "http://127.0.0.1/",
        },
    )
    assert await pay_page(backend, other["url"]) == 303

    await backend.sandbox.deliver("normal")
    await backend.advance("PT35M")

    assert sorted(await _is_settled(backend, person)) == ["active", "canceled"]
    charges = await backend.charges(person)
    assert paid_minor(charges) == [900, 900]
    assert sorted(charge["amount_refunded"] for charge in charges) == [0, 900]
    assert (await subscription(backend, person))["plan"]["code"] == "personal"


async def subscribe_unseen(backend: RunningBackend, person: Person) -> None:
    """Subscribe while no event arrives: the product does not know of it."""
    opened = await open_page(backend, person, "personal")
    assert await pay_page(backend, opened["url"]) == 303


async def test_a_page_whose_event_was_lost_is_found_once_it_has_lapsed(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    await own_backend.sandbox.deliver("drop")
    await subscribe_unseen(own_backend, person)

    await own_backend.advance("PT35M")

    assert (await subscription(own_backend, person))["plan"]["code"] == "personal"
    [card] = await own_backend.cards(person)
    assert card["isDefault"]


@pytest.mark.catalogs("compute")
async def test_a_plan_that_is_arranged_with_sales_has_no_page(backend: RunningBackend) -> None:
    person = await backend.sign_up()

    assert codes(await open_page(backend, person, "enterprise")) == ["NOT_SELF_SERVE"]


@pytest.mark.catalogs("messaging")
async def test_tax_on_top_and_add_ons_are_charged_on_the_page(backend: RunningBackend) -> None:
    person = await backend.sign_up()

    await subscribe(backend, person, "starter", seats=2, addOns=[{"addOnCode": "phone-numbers", "quantity": 3}])

    # 2 x 15.00 + 3 x 4.00 = 42.00, and 7.5 % on top
    assert paid_minor(await backend.charges(person)) == [4515]
    found = await subscription(backend, person)
    assert found["addOns"] == [{"addOn": {"code": "phone-numbers"}, "quantity": 3}]
