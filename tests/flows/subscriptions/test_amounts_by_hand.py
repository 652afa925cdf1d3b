"""What changes cost, worked out by hand: previewed, then charged, through the running product.

Prices: Personal 9.00 (90.00 a year), a seat of Team 19.00 (190.00), of Business 39.00 (390.00), in euros with 21 % tax in them; a
seat of Starter 15.00 (150.00), a phone number 4.00 (40.00), in dollars with 7.5 % tax on top. For the time that is left the present
items go back and the new ones are charged; each line is rounded by itself, and so is its tax.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from tests.support.previews import balance, charged, jump_to, period_of, preview, time_stands_at, wait_until
from tests.support.running_backend import Person, RunningBackend, running_backend
from tests.support.subscribing import change_plan, customer_of, provider_id, subscribe, subscription


@pytest_asyncio.fixture(scope="module")
async def euros(server_url: str) -> AsyncGenerator[RunningBackend]:
    """Analytics, whose time these tests move through the years."""
    async with running_backend(server_url, "analytics") as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def dollars(server_url: str) -> AsyncGenerator[RunningBackend]:
    """Messaging."""
    async with running_backend(server_url, "messaging") as running:
        yield running


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody, and when their first period began and ends."""

    backend: RunningBackend
    person: Person
    began_at: datetime
    ends_at: datetime

    async def change(self, after: timedelta, plan: str, **wanted: object) -> tuple[dict[str, Any], int, int]:
        """Preview a change and make it exactly so long after the beginning; the preview, and how much charges and balance rose."""
        moment = self.began_at + after
        await jump_to(self.backend, moment + timedelta(seconds=2))
        before = await charged(self.backend, self.person), await balance(self.backend, self.person)
        with time_stands_at(moment):
            shown = await preview(self.backend, self.person, planCode=plan, **wanted)
            assert shown["userErrors"] == []
            done = await change_plan(self.backend, self.person, plan, quote=shown["quote"], **wanted)
        assert done["userErrors"] == []
        after_it = await charged(self.backend, self.person), await balance(self.backend, self.person)
        return shown, after_it[0] - before[0], after_it[1] - before[1]


_begun: list[Customer] = []


@pytest_asyncio.fixture(autouse=True)
async def _all_leave() -> AsyncGenerator[None]:
    """End the subscriptions of a test: they would renew when those after it move the time."""
    yield
    while _begun:
        customer = _begun.pop()
        ended = f"/v1/subscriptions/{await provider_id(customer.backend, customer.person)}"
        await customer.backend.sandbox.delete(ended)


async def begin_on(
    backend: RunningBackend, month: int, day: int, plan: str, *, leap: bool = False, **wanted: Any
) -> Customer:
    """Somebody who begins with a plan on the next such day, in a leap year or in none."""
    now = backend.database.clock.now()
    days = (
        datetime(year, month, day, 6, tzinfo=UTC) for year in range(now.year, now.year + 9) if (year % 4 == 0) == leap
    )
    await jump_to(backend, next(each for each in days if each > now))
    person = await backend.sign_up()
    began_at, ends_at = period_of(await subscribe(backend, person, plan, **wanted))
    _begun.append(Customer(backend, person, began_at, ends_at))
    return _begun[-1]


def amounts(shown: dict[str, Any]) -> list[str]:
    """What the lines of a preview come to, the lowest first; all of them settle a change."""
    assert all(line["isProration"] for line in shown["lines"])
    return sorted((line["amount"]["amount"] for line in shown["lines"]), key=float)


def totals(shown: dict[str, Any]) -> tuple[str, str, str, str]:
    """The lines' sum, the tax, what credit pays and what is due now."""
    return tuple(shown[name]["amount"] for name in ("subtotal", "tax", "creditApplied", "dueNow"))  # type: ignore[return-value]


async def test_a_higher_plan_in_the_middle_of_a_month(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 4, 1, "team", seats=5)

    shown, paid, owed = await customer.change(timedelta(days=15), "business")

    # half of April's 30 days is left: 95.00 / 2 = 47.50 goes back, 195.00 / 2 = 97.50 is charged: 50.00
    assert amounts(shown) == ["-47.50", "97.50"]
    # tax in 97.50: 97.50 × 21 / 121 = 16.92; in 47.50: 8.24; 16.92 - 8.24 = 8.68
    assert totals(shown) == ("50.00", "8.68", "0.00", "50.00")
    assert (paid, owed) == (5000, 0)
    # five seats of Business: 5 × 39.00
    assert (shown["recurringPrice"]["amount"], shown["recurringTotal"]["amount"]) == ("195.00", "195.00")


async def test_more_seats(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 6, 1, "team", seats=3)

    shown, paid, owed = await customer.change(timedelta(days=10), "team", seats=8)

    # 20 of June's 30 days are left: 57.00 × 2/3 = 38.00 goes back, 152.00 × 2/3 = 101.33 is charged: 63.33
    assert amounts(shown) == ["-38.00", "101.33"]
    assert totals(shown)[3] == "63.33"
    assert (paid, owed) == (6333, 0)


async def test_twice_more_seats_in_one_period_charges_each_seat_for_its_days(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 6, 1, "team", seats=3)

    _, first, _ = await customer.change(timedelta(days=10), "team", seats=6)
    shown, second, _ = await customer.change(timedelta(days=20), "team", seats=9)

    # after 10 of 30 days: 57.00 × 2/3 = 38.00 goes back, 114.00 × 2/3 = 76.00 is charged: 38.00
    assert first == 3800
    # after 20: of those 76.00 half is left, 38.00, and 171.00 / 3 = 57.00 is charged: 19.00
    assert amounts(shown) == ["-38.00", "57.00"]
    assert second == 1900
    # all in all 57.00 + 38.00 + 19.00 = 114.00 = (57.00 + 114.00 + 171.00) / 3
    assert await charged(euros, customer.person) == 11400


async def test_yearly_instead_of_monthly(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 4, 1, "team", seats=2)
    year = (customer.began_at.replace(year=customer.began_at.year + 1) - customer.began_at).days

    shown, paid, owed = await customer.change(timedelta(days=15), "team", interval="YEAR")

    # half of April is left: 38.00 / 2 = 19.00 goes back. The year is counted from the first of April, and 15 days of it are over:
    # 380.00 × 351/366 = 364.43 where it has a 29 February in it, otherwise 380.00 × 350/365 = 364.38
    assert amounts(shown) == ["-19.00", {366: "364.43", 365: "364.38"}[year]]
    assert totals(shown)[3] == {366: "345.43", 365: "345.38"}[year]
    assert (paid, owed) == ({366: 34543, 365: 34538}[year], 0)
    start, end = period_of(await subscription(euros, customer.person))
    assert (start, end) == (customer.began_at, customer.began_at + timedelta(days=year))


async def test_a_period_that_began_on_31_january(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 1, 31, "personal")
    assert customer.ends_at - customer.began_at == timedelta(days=28)

    shown, paid, owed = await customer.change(timedelta(days=7), "team")

    # until 28 February three quarters are left: 9.00 × 3/4 = 6.75 goes back, two seats: 38.00 × 3/4 = 28.50 is charged: 21.75
    assert amounts(shown) == ["-6.75", "28.50"]
    assert totals(shown)[3] == "21.75"
    assert (paid, owed) == (2175, 0)


async def test_the_period_after_28_february_ends_on_31_march(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 1, 31, "team", seats=2)
    await wait_until(euros, customer.ends_at + timedelta(hours=2))

    # 28 February to 31 March has 31 days; the change is 28 + 15.5 days after the beginning
    shown, paid, owed = await customer.change(timedelta(days=43, hours=12), "team", seats=4)

    # half is left: 38.00 / 2 = 19.00 goes back, 76.00 / 2 = 38.00 is charged: 19.00
    assert amounts(shown) == ["-19.00", "38.00"]
    assert totals(shown)[3] == "19.00"
    assert (paid, owed) == (1900, 0)


async def test_february_of_a_leap_year(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 2, 1, "team", leap=True, seats=4)
    assert customer.ends_at - customer.began_at == timedelta(days=29)

    shown, paid, owed = await customer.change(timedelta(days=9), "business")

    # 20 of 29 days are left: 76.00 × 20/29 = 52.41 goes back; Business has five seats at least: 195.00 × 20/29 = 134.48; 82.07
    assert amounts(shown) == ["-52.41", "134.48"]
    # tax in 134.48: 23.34; in 52.41: 9.10; 14.24
    assert totals(shown) == ("82.07", "14.24", "0.00", "82.07")
    assert (paid, owed) == (8207, 0)


async def test_tax_on_top(dollars: RunningBackend) -> None:
    customer = await begin_on(dollars, 4, 1, "starter", seats=3)
    # three seats, 45.00, and 7.5 % of it, 3.375: half a cent goes up
    assert await charged(dollars, customer.person) == 4838

    shown, paid, owed = await customer.change(timedelta(days=10), "starter", seats=5)

    # 20 of 30 days are left: 45.00 × 2/3 = 30.00 goes back, 75.00 × 2/3 = 50.00 is charged: 20.00
    assert amounts(shown) == ["-30.00", "50.00"]
    # 7.5 % of 50.00 is 3.75, of 30.00 it is 2.25: 1.50 on top
    assert totals(shown) == ("20.00", "1.50", "0.00", "21.50")
    assert (paid, owed) == (2150, 0)
    # five seats, 75.00, and 7.5 % of it, 5.625: half a cent goes up
    assert (shown["recurringPrice"]["amount"], shown["recurringTotal"]["amount"]) == ("75.00", "80.63")


async def test_more_of_an_add_on_is_billed_without_what_stays(dollars: RunningBackend) -> None:
    numbers = [{"addOnCode": "phone-numbers", "quantity": 2}]
    customer = await begin_on(dollars, 6, 1, "starter", seats=3, addOns=numbers)

    more = [{"addOnCode": "phone-numbers", "quantity": 5}]
    shown, paid, owed = await customer.change(timedelta(days=15), "starter", addOns=more)

    # the seats stay. Half of June is left: 8.00 / 2 = 4.00 goes back, 20.00 / 2 = 10.00 is charged: 6.00, and 0.45 of tax
    assert amounts(shown) == ["-4.00", "10.00"]
    assert [line["addOn"] for line in shown["lines"]] == [{"code": "phone-numbers"}] * 2
    assert totals(shown) == ("6.00", "0.45", "0.00", "6.45")
    assert (paid, owed) == (645, 0)


async def test_credit_pays_first(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 4, 1, "team", seats=5)
    await euros.sandbox.post(f"/v1/customers/{await customer_of(euros, customer.person)}", balance="-2000")

    shown, paid, owed = await customer.change(timedelta(days=15), "business")

    # as without credit 50.00, of which 20.00 are there: 30.00 is charged
    assert totals(shown) == ("50.00", "8.68", "20.00", "30.00")
    assert (paid, owed) == (3000, 2000)


async def test_an_amount_too_small_to_be_charged_is_owed(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 4, 1, "team", seats=2)

    shown, paid, owed = await customer.change(timedelta(days=29, hours=12), "team", seats=3)

    # a 60th of April is left: 38.00 / 60 = 0.63 goes back, 57.00 / 60 = 0.95 is charged: 0.32, and the least that a card is charged
    # is 0.50
    assert amounts(shown) == ["-0.63", "0.95"]
    assert totals(shown)[0] == "0.32"
    assert totals(shown)[3] == "0.00"
    assert (paid, owed) == (0, 32)

    await wait_until(euros, customer.ends_at + timedelta(hours=2))
    # 38.00 at first; the renewal: three seats, 57.00, and what is owed
    assert await charged(euros, customer.person) == 3800 + 5732
    assert await balance(euros, customer.person) == 0


async def test_a_lower_plan_costs_nothing_now_and_is_what_the_renewal_charges(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 4, 1, "business", seats=5)

    shown, paid, owed = await customer.change(timedelta(days=15), "team", seats=3)

    assert (shown["timing"], datetime.fromisoformat(shown["effectiveAt"])) == ("PERIOD_END", customer.ends_at)
    assert (amounts(shown), totals(shown)) == ([], ("0.00", "0.00", "0.00", "0.00"))
    assert (paid, owed) == (0, 0)
    await wait_until(euros, customer.ends_at + timedelta(hours=2))
    # 195.00 at first; the renewal: three seats of Team, 57.00
    assert await charged(euros, customer.person) == 19500 + 5700


async def test_a_mixed_change_charges_what_rises_and_ends_with_what_falls(euros: RunningBackend) -> None:
    customer = await begin_on(euros, 4, 1, "team", seats=6)

    shown, paid, owed = await customer.change(timedelta(days=15), "business", seats=5)

    # six seats until the month is over: 114.00 / 2 = 57.00 goes back, 234.00 / 2 = 117.00 is charged: 60.00
    assert (shown["timing"], datetime.fromisoformat(shown["effectiveAt"])) == ("MIXED", customer.ends_at)
    assert amounts(shown) == ["-57.00", "117.00"]
    assert (paid, owed) == (6000, 0)
    # then five: 195.00
    assert shown["recurringTotal"]["amount"] == "195.00"
    await wait_until(euros, customer.ends_at + timedelta(hours=2))
    assert await charged(euros, customer.person) == 11400 + 6000 + 19500
