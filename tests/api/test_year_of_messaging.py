"""A year of an organization on `messaging`, by the public API alone: from the trial to a yearly plan, with seats and phone numbers
that come and go. Every amount is worked out here by hand, or was quoted before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from app.accounts.access.permissions import ApiScope
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    paid_minor,
    phone_numbers,
    set_phone_numbers,
    subscribe,
    subscription,
)
from tests.support.teams import accept, invited, mails_about, member_ids, organization_of

_SEAT, _NUMBER = 2_900, 400
_SEAT_A_YEAR, _NUMBER_A_YEAR = 29_000, 4_000
_PREVIEW = """query ($input: SubscriptionChangeInput!) { subscriptionChangePreview(input: $input) {
  timing dueNow { amount } recurringTotal { amount } quote userErrors { code } } }"""
_BILLS = """query ($id: ID!) { workspace(id: $id) {
  upcomingInvoice { amountDue { amount } }
  invoices(first: 50) { nodes { status total { amount } amountPaid { amount } } }
  members { nodes { role holdsSeat user { id } id } } } }"""
_REMOVE = "mutation ($input: IdInput!) { removeMember(input: $input) { userErrors { code } } }"


def _taxed(minor: int) -> int:
    """With 7.5 % on top, rounded to the cent."""
    return round(minor * 1075 / 1000)


async def _until(backend: RunningBackend, moment: datetime) -> None:
    await backend.advance(f"PT{int((moment - backend.database.clock.now()).total_seconds())}S")


async def _period(backend: RunningBackend, owner: Person) -> tuple[datetime, datetime]:
    period = (await subscription(backend, owner))["currentPeriod"]
    return datetime.fromisoformat(period["start"]), datetime.fromisoformat(period["end"])


async def _bills(backend: RunningBackend, owner: Person) -> dict[str, Any]:
    return (await backend.api.query(_BILLS, {"id": owner.workspace}, token=owner.token))["workspace"]


async def _joins(backend: RunningBackend, owner: Person) -> None:
    person, token = await invited(backend, owner)
    assert codes(await accept(backend, person, token)) == []


async def test_a_year_of_messaging(own_messaging: RunningBackend) -> None:
    backend = own_messaging
    owner = await organization_of(backend, await backend.sign_up(with_trial=True))
    server = await backend.service_key(ApiScope.BILLING_READ, ApiScope.BILLING_WRITE)

    # the trial: the full product for five, without a card, and nobody else is let in
    trial = await subscription(backend, owner)
    assert (trial["status"], trial["plan"]["code"], trial["seats"]["total"]) == ("TRIALING", "business", 5)
    for _ in range(3):
        await _joins(backend, owner)
    await backend.advance("P12D")
    assert len(await mails_about(backend, owner, "trial ends soon")) == 1
    await backend.advance("P2DT1H")
    ended = await subscription(backend, owner)
    assert (ended["plan"]["code"], ended["seats"], len(await member_ids(backend, owner))) == (
        "inactive",
        {"total": 1, "used": 1, "available": 0},
        4,
    )
    assert [each["holdsSeat"] for each in (await _bills(backend, owner))["members"]["nodes"]].count(True) == 1

    # the first plan, monthly: four seats and two phone numbers
    numbers = [{"addOnCode": "phone-numbers", "quantity": 2}]
    await subscribe(backend, owner, "business", seats=4, addOns=numbers)
    expected = [_taxed(4 * _SEAT + 2 * _NUMBER)]
    assert paid_minor(await backend.charges(owner)) == expected

    # half of a month later two join, and a server adds three numbers: each pays for the half that is left
    start, end = await _period(backend, owner)
    await _until(backend, start + (end - start) / 2)
    await _joins(backend, owner)
    await _joins(backend, owner)
    answer = await set_phone_numbers(backend, owner, 5, token=server, expectedQuantity=2)
    assert codes(answer) == []
    assert answer["subscription"]["seats"]["total"] == 6
    charged = paid_minor(await backend.charges(owner))[1:]
    for amount, half in zip(charged, (_SEAT, _SEAT, 3 * _NUMBER), strict=True):
        assert abs(amount - _taxed(half // 2)) <= 2

    # two numbers are given up, one person leaves, and the owner gives their seat back: all of it when the period ends
    answer = await set_phone_numbers(backend, owner, 3, token=server, expectedQuantity=5)
    assert codes(answer) == []
    leaving = next(each for each in (await _bills(backend, owner))["members"]["nodes"] if each["role"] == "MEMBER")
    await backend.api.query(_REMOVE, {"input": {"id": leaving["id"]}}, token=owner.token)
    answer = await change_seats(backend, owner, 5)
    assert codes(answer) == []
    pending = answer["subscription"]["pendingChange"]
    assert (pending["kind"], pending["seats"]) == ("DOWNGRADE", 5)
    # the owner's own change took the place of what the server had decided, so the server says it again, beside it
    answer = await set_phone_numbers(backend, owner, 3, token=server, expectedQuantity=5)
    assert codes(answer) == []
    pending = answer["subscription"]["pendingChange"]
    assert (pending["seats"], pending["addOns"]) == (5, [{"quantity": 3}])
    assert len(paid_minor(await backend.charges(owner))) == 4
    renewal = _taxed(5 * _SEAT + 3 * _NUMBER)
    assert (await _bills(backend, owner))["upcomingInvoice"]["amountDue"] == {"amount": f"{renewal / 100:.2f}"}
    await _until(backend, end + timedelta(hours=2))
    assert paid_minor(await backend.charges(owner))[4:] == [renewal]
    found = await subscription(backend, owner)
    assert (found["seats"]["total"], phone_numbers(found), found["pendingChange"]) == (5, 3, None)

    # yearly from the third month on, for exactly what was quoted
    await backend.advance("P10D")
    given = {"workspaceId": owner.workspace, "planCode": "business", "interval": "YEAR"}
    shown = (await backend.api.query(_PREVIEW, {"input": given}, token=owner.token))["subscriptionChangePreview"]
    a_year = _taxed(5 * _SEAT_A_YEAR + 3 * _NUMBER_A_YEAR)
    assert shown["recurringTotal"] == {"amount": f"{a_year / 100:.2f}"}
    answer = await change_plan(backend, owner, "business", interval="YEAR", quote=shown["quote"])
    assert codes(answer) == []
    quoted = round(float(shown["dueNow"]["amount"]) * 100)
    assert paid_minor(await backend.charges(owner))[5:] == [quoted]

    # half a year later somebody joins, which costs half of a year
    start, end = await _period(backend, owner)
    await _until(backend, start + (end - start) / 2)
    await _joins(backend, owner)
    [joined] = paid_minor(await backend.charges(owner))[6:]
    # five have joined and one has left, so the sixth seat is bought
    assert abs(joined - _taxed(_SEAT_A_YEAR // 2)) <= 20

    # the year ends: it renews for six, and then the owner lets it go
    await _until(backend, end + timedelta(hours=2))
    assert paid_minor(await backend.charges(owner))[7:] == [_taxed(6 * _SEAT_A_YEAR + 3 * _NUMBER_A_YEAR)]
    assert codes(await cancel(backend, owner)) == []
    _, end = await _period(backend, owner)
    await _until(backend, end + timedelta(hours=2))
    found = await subscription(backend, owner)
    assert (found["plan"]["code"], found["status"]) == ("inactive", "CANCELED")

    bills = (await _bills(backend, owner))["invoices"]["nodes"]
    assert {bill["status"] for bill in bills} == {"PAID"}
    paid = sorted(round(float(bill["amountPaid"]["amount"]) * 100) for bill in bills)
    assert paid == sorted(paid_minor(await backend.charges(owner)))
    assert len(await member_ids(backend, owner)) == 6

    async def is_told() -> bool:
        return bool(await mails_about(backend, owner, "ended"))

    await eventually(is_told)
