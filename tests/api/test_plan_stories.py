"""The shipped catalogs lived through by the public API alone, with time moved forward; what is charged is what was shown before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    codes,
    paid_minor,
    subscribe,
    subscription,
)

_PREVIEW = """query ($input: SubscriptionChangeInput!) { subscriptionChangePreview(input: $input) {
  timing effectiveAt dueNow { amount } recurringPrice { amount } recurringTotal { amount } quote
  replaces { kind } userErrors { code message } } }"""
_BILLS = """query ($id: ID!) { workspace(id: $id) {
  upcomingInvoice { at amountDue { amount } lines { description plan { code } } }
  invoices(first: 50) { nodes { status total { amount } lines { plan { code } isProration quantity } } }
  creditBalance { available } } }"""


async def _preview(backend: RunningBackend, person: Person, **wanted: object) -> dict[str, Any]:
    given = {"input": {"workspaceId": person.workspace, **wanted}}
    shown = (await backend.api.query(_PREVIEW, given, token=person.token))["subscriptionChangePreview"]
    assert shown["userErrors"] == []
    return shown


async def _bills(backend: RunningBackend, person: Person) -> dict[str, Any]:
    return (await backend.api.query(_BILLS, {"id": person.workspace}, token=person.token))["workspace"]


async def _half_the_period_passes(backend: RunningBackend, person: Person) -> None:
    period = (await subscription(backend, person))["currentPeriod"]
    start, end = datetime.fromisoformat(period["start"]), datetime.fromisoformat(period["end"])
    await _until(backend, start + (end - start) / 2)


async def _the_period_ends(backend: RunningBackend, person: Person) -> None:
    end = (await subscription(backend, person))["currentPeriod"]["end"]
    await _until(backend, datetime.fromisoformat(end) + timedelta(hours=2))


async def _until(backend: RunningBackend, moment: datetime) -> None:
    await backend.advance(f"PT{int((moment - backend.database.clock.now()).total_seconds())}S")


@pytest.mark.parametrize("interval", ["MONTH", "YEAR"])
async def test_analytics_from_free_up_and_down_and_back_to_free(own_backend: RunningBackend, interval: str) -> None:
    backend, person = own_backend, await own_backend.sign_up()
    yearly = 10 if interval == "YEAR" else 1
    await backend.grant(person, "500")
    begun = await subscribe(backend, person, "team", seats=5, interval=interval)
    assert (begun["interval"], begun["recurringPrice"]) == (interval, {"amount": f"{95 * yearly}.00"})

    await _half_the_period_passes(backend, person)
    shown = await _preview(backend, person, planCode="business", seats=5)
    assert shown["timing"] == "IMMEDIATE"
    # five seats go up by 20.00 (200.00 a year) for half of the period
    assert float(shown["dueNow"]["amount"]) == pytest.approx(50 * yearly, abs=1)
    assert codes(await change_plan(backend, person, "business", seats=5, quote=shown["quote"])) == []
    charged = paid_minor(await backend.charges(person))
    assert charged == [9500 * yearly, round(float(shown["dueNow"]["amount"]) * 100)]

    down = await _preview(backend, person, planCode="personal")
    assert (down["timing"], down["dueNow"], down["quote"]) == ("PERIOD_END", {"amount": "0.00"}, None)
    assert codes(await change_plan(backend, person, "personal")) == []
    bills = await _bills(backend, person)
    assert [line["plan"]["code"] for line in bills["upcomingInvoice"]["lines"]] == ["personal"]
    assert bills["upcomingInvoice"]["amountDue"] == {"amount": f"{9 * yearly}.00"}
    await _the_period_ends(backend, person)
    found = await subscription(backend, person)
    assert (found["plan"]["code"], found["seats"]["total"], found["interval"]) == ("personal", 1, interval)

    assert codes(await cancel(backend, person)) == []
    assert (await _bills(backend, person))["upcomingInvoice"] is None
    await _the_period_ends(backend, person)
    ended = await subscription(backend, person)
    assert (ended["plan"]["code"], ended["status"], ended["pendingChange"]) == ("free", "CANCELED", None)
    bills = await _bills(backend, person)
    assert [bill["status"] for bill in bills["invoices"]["nodes"]] == ["PAID", "PAID", "PAID"]
    assert bills["creditBalance"]["available"] == "500"
    assert len(await backend.charges(person)) == 3


async def test_messaging_from_starter_to_business_yearly(own_messaging: RunningBackend) -> None:
    backend, person = own_messaging, await own_messaging.sign_up()
    phones = [{"addOnCode": "phone-numbers", "quantity": 2}]
    await subscribe(backend, person, "starter", seats=3, addOns=phones)
    # 3 x 15.00 + 2 x 4.00 = 53.00, and 7.5 % on top
    assert paid_minor(await backend.charges(person)) == [5698]

    await _half_the_period_passes(backend, person)
    shown = await _preview(backend, person, planCode="business", interval="YEAR")
    assert shown["timing"] == "IMMEDIATE"
    assert shown["recurringPrice"] == {"amount": "950.00"}
    assert shown["recurringTotal"] == {"amount": "1021.25"}
    assert codes(await change_plan(backend, person, "business", interval="YEAR", quote=shown["quote"])) == []

    found = await subscription(backend, person)
    assert (found["plan"]["code"], found["interval"], found["seats"]["total"]) == ("business", "YEAR", 3)
    assert found["addOns"] == [{"addOn": {"code": "phone-numbers"}, "quantity": 2}]
    charged = paid_minor(await backend.charges(person))
    assert charged[1] == round(float(shown["dueNow"]["amount"]) * 100)
    await _the_period_ends(backend, person)
    assert paid_minor(await backend.charges(person))[2:] == [102125]
