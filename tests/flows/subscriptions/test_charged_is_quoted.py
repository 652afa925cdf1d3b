"""Whatever is changed, on whatever day, and whatever fails meanwhile: what is charged is what was quoted, to the cent.

It is counted as what cards were charged plus what the customer's balance rose by, and compared with a plain model of prices, days
and rounding, which decides by itself what is at once and what waits.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.flows.subscriptions.price_model import DOLLARS, EUROS, Has, Market, Subscription
from tests.support.client import eventually
from tests.support.previews import balance, charge_to, charged, jump_to, period_of, preview, time_stands_at
from tests.support.running_backend import Person, RunningBackend, running_backend
from tests.support.subscribing import change_plan, codes, customer_of, provider_id, subscribe, subscription

_STEPS = 5
_FAULTS = (None, None, None, "drop_after", "drop_before", "error_500")
_UNSURE = {"PAYMENT_PENDING", "PAYMENT_UNAVAILABLE"}


@pytest_asyncio.fixture(scope="module")
async def euros(server_url: str) -> AsyncGenerator[RunningBackend]:
    """Analytics: tax included."""
    async with running_backend(server_url, "analytics") as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def dollars(server_url: str) -> AsyncGenerator[RunningBackend]:
    """Messaging: tax on top, and phone numbers."""
    async with running_backend(server_url, "messaging") as running:
        yield running


@dataclass(slots=True)
class Life:
    """A customer who changes their mind now and then, and the model of what they have."""

    backend: RunningBackend
    person: Person
    market: Market
    random: Random
    model: Subscription
    is_declining: bool = False

    async def paid(self) -> int:
        """What cards were charged and what is owed, all in all."""
        return await charged(self.backend, self.person) + await balance(self.backend, self.person)

    async def let_time_pass(self) -> None:
        """Some hours or days, through a renewal or not; a renewal is waited for until it is paid."""
        since = self.model.end if self.random.random() < 0.3 else self.backend.database.clock.now()
        moment = since + timedelta(hours=self.random.randint(1, 14 * 24))
        while moment >= self.model.end - timedelta(hours=1):
            before = await self.paid()
            await self.let_good_card_pay()
            await jump_to(self.backend, self.model.end + timedelta(hours=2))
            total = self.model.renew()

            async def has_renewed() -> bool:
                return period_of(await subscription(self.backend, self.person))[0] == self.model.start

            await eventually(has_renewed)
            assert await self.paid() - before == total
            moment = max(moment, self.model.start + timedelta(hours=3))
        await jump_to(self.backend, moment)

    async def let_good_card_pay(self) -> None:
        if self.is_declining:
            await charge_to(self.backend, self.person, self.random.choice(["pm_card_visa", "pm_card_mastercard"]))
            self.is_declining = False

    async def change(self) -> None:
        """Ask what a change costs, make it by its quote, and compare both with the model."""
        wanted = self._wanted()
        now, later = self.market.decided(
            self.model.has, wanted["planCode"], wanted.get("interval"), wanted.get("seats"), _numbers(wanted)
        )
        moment = self.backend.database.clock.now().replace(microsecond=0)
        expected = self.model.copied()
        total = expected.change(now, later, moment) if now != self.model.has else 0
        before = await self.paid()
        with time_stands_at(moment):
            shown = await preview(self.backend, self.person, **wanted)
        if codes(shown) == ["NO_CHANGE"]:
            assert (now, later) in ((self.model.has, self.model.has), (self.model.has, self.model.later))
            return
        assert shown["userErrors"] == []
        assert _cents(shown["subtotal"]) + (_cents(shown["tax"]) if self.market.tax_on_top else 0) == total

        told = await self._make(shown, wanted)

        if told == ["PAYMENT_DECLINED"]:
            assert self.is_declining
            assert now != self.model.has
            assert await self.paid() == before
        else:
            assert told == []
            assert await self.paid() - before == total
            if now != self.model.has:
                self.model = expected
            self.model.later = later if later != now else None
        await self._has_what_the_model_has()

    async def _make(self, shown: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
        """Make a change by its quote, while something fails or not, and ask again with its key until the answer is sure."""
        fault = self.random.choice(_FAULTS)
        if fault is not None:
            path = self.random.choice(["/v1/subscriptions/[^/]*", "/v1/invoices/.*", "/v1/subscription_schedules.*"])
            await self.backend.sandbox.fail(fault, path, times=self.random.randint(1, 5))
        given = {**wanted, "quote": shown["quote"], "idempotencyKey": uuid4().hex}
        plan = given.pop("planCode")
        answered = codes(await change_plan(self.backend, self.person, plan, **given))
        await self.backend.sandbox.restore()
        for _ in range(5):
            if not _UNSURE & set(answered):
                break
            # who was making it is given up on after a minute and a half
            await jump_to(self.backend, self.backend.database.clock.now() + timedelta(seconds=100))
            answered = codes(await change_plan(self.backend, self.person, plan, **given))
        return answered

    async def _has_what_the_model_has(self) -> None:
        found = await subscription(self.backend, self.person)
        numbers = sum(each["quantity"] for each in found["addOns"])
        assert Has(found["plan"]["code"], found["interval"], found["seats"]["total"], numbers) == self.model.has
        assert period_of(found) == (self.model.start, self.model.end)
        pending = found["pendingChange"]
        shown = (pending["plan"]["code"], pending["interval"], pending["seats"]) if pending is not None else None
        later = self.model.later
        assert shown == ((later.plan, later.interval, later.seats) if later is not None else None)

    def _wanted(self) -> dict[str, Any]:
        """A change that can be had."""
        plan = self.random.choice(sorted(self.market.prices))
        wanted: dict[str, Any] = {"planCode": plan}
        if self.random.random() < 0.3:
            wanted["interval"] = self.random.choice(["MONTH", "MONTH", "YEAR"])
        fewest, most = self.market.seats[plan]
        if self.random.random() < 0.6:
            wanted["seats"] = self.random.randint(fewest, min(most, fewest + 8))
        if self.market.numbers and self.random.random() < 0.5:
            quantity = self.random.randint(0, self.market.numbers)
            wanted["addOns"] = [{"addOnCode": "phone-numbers", "quantity": quantity}]
        return wanted


def _numbers(wanted: dict[str, Any]) -> int | None:
    return wanted["addOns"][0]["quantity"] if "addOns" in wanted else None


def _cents(money: dict[str, str]) -> int:
    return int(Decimal(money["amount"]) * 100)


async def _begin(backend: RunningBackend, market: Market, random: Random) -> Life:
    person = await backend.sign_up()
    plan = random.choice(sorted(market.prices))
    seats, interval = (
        market.seats[plan][0] + (1 if plan != "personal" else 0),
        random.choice(["MONTH", "MONTH", "YEAR"]),
    )
    start, end = period_of(await subscribe(backend, person, plan, interval=interval, seats=seats))
    model = Subscription.begun(market, Has(plan, interval, seats), start)
    assert model.end == end
    life = Life(backend, person, market, random, model)
    assert await life.paid() == market.total(list(market.items(model.has).values()))
    await backend.sandbox.post(
        f"/v1/customers/{await customer_of(backend, person)}", balance=str(-random.randint(0, 9_000))
    )
    return life


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("market", ["euros", "dollars"])
async def test_what_is_charged_is_what_was_quoted(
    euros: RunningBackend, dollars: RunningBackend, market: str, seed: int
) -> None:
    random = Random(f"{market} {seed}")
    life = await _begin(euros, EUROS, random) if market == "euros" else await _begin(dollars, DOLLARS, random)
    try:
        for _ in range(_STEPS):
            await life.let_time_pass()
            if not life.is_declining and random.random() < 0.2:
                await charge_to(life.backend, life.person, "pm_card_chargeCustomerFail")
                life.is_declining = True
            await life.change()
            await life.let_good_card_pay()
    finally:
        await life.backend.sandbox.delete(f"/v1/subscriptions/{await provider_id(life.backend, life.person)}")
