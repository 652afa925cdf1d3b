"""The next bill: as Stripe's preview has it, kept between two questions, asked again after changes and by one at a time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.billing.subscriptions.upcoming import ASK_AGAIN_AFTER
from app.db.engine import Session
from app.db.tables.subscriptions import UpcomingInvoiceRow
from app.db.unit_of_work import transact
from app.flows.subscriptions.upcoming import refresh_upcoming
from app.ids import uuid7
from app.store import upcoming_invoices as upcoming_invoice_store
from tests.support import subscribing
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

_PREVIEWS = "/v1/invoices/create_preview"
_UPCOMING = """query ($id: ID!) {
  workspace(id: $id) {
    name
    upcomingInvoice {
      at askedAt subtotal { amount } tax { amount } total { amount } creditApplied { amount } amountDue { amount }
      lines { description quantity isProration amount { amount } period { start end } plan { code } addOn { code } }
    }
  }
}"""


async def _answer(backend: RunningBackend, person: Person) -> dict[str, Any]:
    return (await backend.api.send(_UPCOMING, {"id": person.workspace}, token=person.token)).json()


async def upcoming(backend: RunningBackend, person: Person) -> dict[str, Any]:
    """The next bill, which there is."""
    answer = await _answer(backend, person)
    assert "errors" not in answer, answer
    return answer["data"]["workspace"]["upcomingInvoice"]


async def _asked(backend: RunningBackend) -> int:
    return len(await backend.sandbox.requests(_PREVIEWS))


async def _subscriber(backend: RunningBackend, seats: int = 3) -> Person:
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "team", seats=seats)
    return person


async def _row(backend: RunningBackend, person: Person) -> UpcomingInvoiceRow | None:
    async with backend.database.read() as session:
        found = select(UpcomingInvoiceRow).where(UpcomingInvoiceRow.workspace_id == person.workspace_id)
        return await session.scalar(found)


async def _claim(backend: RunningBackend, person: Person, *, lasts: timedelta) -> bool:
    """Begin to ask as a process does that ends before it is answered."""

    async def claim(session: Session) -> bool:
        until = session.real_now + lasts
        found = await upcoming_invoice_store.claim(
            session, person.workspace_id, uuid7(), until=until, ask_again_after=ASK_AGAIN_AFTER
        )
        return found is not None

    return await transact(backend.database, claim)


async def test_the_next_bill_is_the_renewal_line_by_line_with_tax_and_credit(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    customer = await subscribing.customer_of(backend, person)
    await backend.sandbox.post(f"/v1/customers/{customer}", balance="-1000")
    period = (await subscribing.subscription(backend, person))["currentPeriod"]
    await backend.advance("PT2M")

    bill = await upcoming(backend, person)

    [line] = bill["lines"]
    assert (line["plan"]["code"], line["quantity"], line["amount"]["amount"]) == ("team", 3, "57.00")
    assert line["period"]["start"] == period["end"]
    assert (bill["subtotal"]["amount"], bill["tax"]["amount"], bill["total"]["amount"]) == ("57.00", "9.89", "57.00")
    assert (bill["creditApplied"]["amount"], bill["amountDue"]["amount"]) == ("10.00", "47.00")
    assert datetime.fromisoformat(bill["at"]) == datetime.fromisoformat(period["end"]) + timedelta(hours=1)


async def test_a_pending_downgrade_is_in_the_next_bill(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    assert (await subscribing.change_seats(backend, person, 2))["userErrors"] == []

    [line] = (await upcoming(backend, person))["lines"]

    assert (line["quantity"], line["amount"]["amount"]) == (2, "38.00")


async def test_who_subscribes_to_nothing_has_no_next_bill_and_nobody_asks_for_it(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    before = await _asked(backend)
    assert await upcoming(backend, person) is None
    assert await _asked(backend) == before


async def test_a_subscription_that_ends_with_nothing_to_bill_has_no_next_bill(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    assert (await subscribing.cancel(backend, person))["userErrors"] == []
    assert await upcoming(backend, person) is None
    assert (await subscribing.keep(backend, person))["userErrors"] == []
    assert (await upcoming(backend, person))["total"]["amount"] == "57.00"


async def test_for_one_version_stripe_is_asked_once_a_minute_at_most_however_many_ask(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    first = await upcoming(backend, person)
    before = await _asked(backend)
    assert await upcoming(backend, person) == first
    assert await _asked(backend) == before
    await backend.advance("PT2M")

    bills = await asyncio.gather(*(upcoming(backend, person) for _ in range(20)))

    # what comes next, and what recurs
    assert await _asked(backend) == before + 2
    assert {bill["total"]["amount"] for bill in bills} == {"57.00"}
    assert (await upcoming(backend, person))["askedAt"] > first["askedAt"]


async def test_it_is_asked_again_when_the_subscription_has_changed(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    await upcoming(backend, person)

    assert (await subscribing.change_seats(backend, person, 4))["userErrors"] == []

    assert (await upcoming(backend, person))["total"]["amount"] == "76.00"


async def test_those_who_ask_for_a_new_version_wait_for_the_one_who_asks_stripe(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    subscription = await subscribing.provider_id(backend, person)
    await upcoming(backend, person)
    raw = await backend.sandbox.fetched(f"/v1/subscriptions/{subscription}")
    item = raw["items"]["data"][0]["id"]
    await backend.sandbox.post(f"/v1/subscriptions/{subscription}", **{"items[0][id]": item, "items[0][quantity]": "9"})

    async def changed() -> bool:
        return (await subscribing.subscription(backend, person))["seats"]["total"] == 9

    assert await eventually(changed)
    bills = await asyncio.gather(*(upcoming(backend, person) for _ in range(10)))
    assert {bill["lines"][-1]["quantity"] for bill in bills} == {9}


async def test_while_stripe_is_away_the_last_bill_stands_also_that_of_an_older_version(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    bill = await upcoming(backend, person)
    await backend.advance("PT2M")
    await backend.sandbox.fail("error_500", _PREVIEWS, times=100)

    assert await upcoming(backend, person) == bill
    assert (await subscribing.change_seats(backend, person, 2))["userErrors"] == []
    assert await upcoming(backend, person) == bill
    await backend.sandbox.restore()
    await backend.advance("PT2M")
    assert (await upcoming(backend, person))["total"]["amount"] == "38.00"


async def test_where_stripe_never_answered_only_this_field_is_unavailable(backend: RunningBackend) -> None:
    await backend.sandbox.fail("error_500", _PREVIEWS, times=100)
    person = await _subscriber(backend)

    answer = await _answer(backend, person)

    [error] = answer["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("UNAVAILABLE", ["workspace", "upcomingInvoice"])
    assert answer["data"]["workspace"]["name"]
    assert answer["data"]["workspace"]["upcomingInvoice"] is None
    before = await _asked(backend)
    assert (await _answer(backend, person))["errors"]
    assert await _asked(backend) == before
    await backend.sandbox.restore()
    await backend.advance("PT2M")
    assert (await upcoming(backend, person))["total"]["amount"] == "57.00"


async def test_one_who_ends_while_asking_keeps_the_others_waiting_no_longer_than_the_claim(
    backend: RunningBackend,
) -> None:
    person = await _subscriber(backend)
    bill = await upcoming(backend, person)
    await backend.advance("PT2M")
    assert await _claim(backend, person, lasts=timedelta(hours=1))

    # somebody is asking for the same version: what is kept is shown at once
    assert await upcoming(backend, person) == bill
    assert not await _claim(backend, person, lasts=timedelta(hours=1))
    await backend.advance("PT2M")
    await refresh_upcoming(backend.parts.flow_context, person.workspace_id)
    assert await upcoming(backend, person) == bill


async def test_an_answer_that_comes_after_its_claim_is_over_replaces_no_newer_one(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    await upcoming(backend, person)
    await backend.advance("PT2M")
    slow = uuid7()

    async def claim(session: Session) -> None:
        await upcoming_invoice_store.claim(
            session, person.workspace_id, slow, until=session.real_now, ask_again_after=ASK_AGAIN_AFTER
        )

    await transact(backend.database, claim)
    await backend.advance("PT2M")
    bill = await upcoming(backend, person)

    async def keep(session: Session) -> None:
        await upcoming_invoice_store.keep(
            session, person.workspace_id, slow, version=1, invoice=None, recurring_total_minor=None
        )

    await transact(backend.database, keep)
    assert await upcoming(backend, person) == bill


async def test_what_recurs_is_kept_with_it_and_refreshing_never_fails_for_stripe(backend: RunningBackend) -> None:
    person = await _subscriber(backend)
    await upcoming(backend, person)
    row = await _row(backend, person)
    assert row is not None
    assert (row.recurring_total_minor, row.claimed_until) == (5700, None)
    await backend.advance("PT2M")
    await backend.sandbox.fail("error_500", _PREVIEWS, times=100)

    await refresh_upcoming(backend.parts.flow_context, person.workspace_id)

    again = await _row(backend, person)
    assert again is not None
    assert (again.recurring_total_minor, again.claimed_until, again.asked_at) == (5700, None, row.asked_at)
    await backend.sandbox.restore()


async def test_nothing_is_kept_for_a_workspace_that_subscribes_to_nothing(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await refresh_upcoming(backend.parts.flow_context, person.workspace_id)
    assert await _row(backend, person) is None
