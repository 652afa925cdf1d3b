"""Leaving a legacy plan: at once and for good, with what was paid for and not used refunded to the card, to the cent.

Essential costs 30.00 a month or 300.00 a year, Professional 200.00 a month with five seats and 20.00 for each more; the tax of 8.25 %
comes on top, each line's by itself. April has 30 days.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from app.catalog import BillingInterval
from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.plan_moves import (
    audited,
    leave,
    live_at_stripe,
    moves,
    on_legacy,
    refund_told,
    refunded,
    set_by_operator,
    told,
)
from tests.support.previews import jump_to
from tests.support.running_backend import Person, RunningBackend, running_backend
from tests.support.subscribing import codes, paid_minor, stripe_subscriptions, subscription


@pytest_asyncio.fixture(scope="module")
async def dollars(server_url: str) -> AsyncGenerator[RunningBackend]:
    """Compute, whose time these tests move through the years."""
    async with running_backend(server_url, "compute") as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def _all_leave(dollars: RunningBackend) -> AsyncGenerator[None]:
    """End the subscriptions of a test: they would renew when those after it move the time."""
    yield
    await dollars.sandbox.restore()
    await dollars.end_subscriptions()


async def _next_april(backend: RunningBackend) -> datetime:
    now = backend.database.clock.now()
    year = next(each for each in range(now.year, now.year + 2) if datetime(each, 4, 1, 6, tzinfo=UTC) > now)
    moment = datetime(year, 4, 1, 6, tzinfo=UTC)
    await jump_to(backend, moment)
    return moment


async def _half_a_month_used(backend: RunningBackend, **order: object) -> Person:
    """Someone on Essential, of whose April half is over."""
    began_at = await _next_april(backend)
    person = await on_legacy(backend, **order)
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
    [invoice] = await dollars.invoices(person)
    assert invoice["refunded"]["amount"] == "16.24"
    assert await told(dollars, person) is None
    [_, move] = await moves(dollars, person)
    assert (move.state, move.kind, move.moved_at is not None) == ("DONE", "TRANSITION", True)


async def test_a_year_of_essential_with_73_days_used_goes_back_to_the_cent(dollars: RunningBackend) -> None:
    began_at = await _next_april(dollars)
    person = await on_legacy(dollars, interval=BillingInterval.YEAR)
    leap = (began_at.replace(year=began_at.year + 1) - began_at).days - 365
    await jump_to(dollars, began_at + timedelta(days=73) * (365 + leap) / 365)

    assert await refund_told(dollars, person) == "259.80"
    assert (await leave(dollars, person))["userErrors"] == []

    assert paid_minor(await dollars.charges(person)) == [32475]
    assert await refunded(dollars, person) == [25980]
