"""What owners are mailed about their plan and their bills: once for each reason, whatever is reported how often."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.client import eventually
from tests.support.development_inbox import mails_to
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_seats,
    codes,
    customer_of,
    keep,
    provider_id,
    subscribe,
    subscription,
)

_CHANGED = "Your subscription has changed"
_CANCELED = "Your subscription is canceled"


async def _mails(backend: RunningBackend, person: Person, subject: str) -> list[dict[str, Any]]:
    """The mails whose subject begins like this, the newest first."""
    return [mail for mail in await mails_to(backend, person.address) if mail["subject"].startswith(subject)]


async def _mailed(backend: RunningBackend, person: Person, subject: str, times: int = 1) -> list[dict[str, Any]]:
    async def are_there() -> bool:
        return len(await _mails(backend, person, subject)) >= times

    await eventually(are_there)
    return await _mails(backend, person, subject)


async def _in_team(backend: RunningBackend) -> Person:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=2)
    return person


async def _are_repeated(backend: RunningBackend, person: Person) -> None:
    """Have everything about the person's subscription and invoices reported again, twice, and in any order."""
    customer = await customer_of(backend, person)
    for mode in ("duplicate", "shuffle"):
        await backend.sandbox.deliver(mode)
        subscription_id = await provider_id(backend, person)
        await backend.sandbox.post(f"/v1/subscriptions/{subscription_id}", **{"metadata[seen]": mode})
        for invoice in await backend.stripe_invoices(person):
            await backend.sandbox.post(f"/v1/invoices/{invoice['id']}", **{"metadata[seen]": mode})
        await backend.sandbox.post(f"/v1/customers/{customer}", **{"metadata[seen]": mode})
        await backend.sandbox.flush()
    await backend.sandbox.deliver("normal")
    await backend.advance("PT2H")


async def test_a_change_that_was_made_is_told_with_what_was_before(backend: RunningBackend) -> None:
    person = await _in_team(backend)
    assert codes(await change_seats(backend, person, 4)) == []
    [mail] = await _mailed(backend, person, _CHANGED)
    assert "Now: Team, 4 seats, paid monthly. Before: Team, 2 seats, paid monthly." in mail["text"]


async def test_a_change_is_told_once_however_often_it_is_reported(backend: RunningBackend) -> None:
    person = await _in_team(backend)
    assert codes(await change_seats(backend, person, 3)) == []
    await _mailed(backend, person, _CHANGED)
    await _are_repeated(backend, person)
    assert len(await _mails(backend, person, _CHANGED)) == 1


async def test_a_change_and_back_and_again_are_three(backend: RunningBackend) -> None:
    person = await _in_team(backend)
    subscription_id = await provider_id(backend, person)
    stripe = await backend.sandbox.fetched(f"/v1/subscriptions/{subscription_id}")
    item = stripe["items"]["data"][0]["id"]
    await change_seats(backend, person, 3)
    await _mailed(backend, person, _CHANGED, 1)
    # by support staff
    await backend.sandbox.post(
        f"/v1/subscriptions/{subscription_id}",
        **{"items[0][id]": item, "items[0][quantity]": "2", "proration_behavior": "none"},
    )
    await _mailed(backend, person, _CHANGED, 2)
    await change_seats(backend, person, 3)
    await _mailed(backend, person, _CHANGED, 3)


async def test_a_downgrade_is_told_when_it_is_made_and_not_when_it_is_decided(own_backend: RunningBackend) -> None:
    backend, person = own_backend, await _in_team(own_backend)
    await change_seats(backend, person, 4)
    await _mailed(backend, person, _CHANGED, 1)
    assert codes(await change_seats(backend, person, 2)) == []
    assert (await subscription(backend, person))["pendingChange"]["kind"] == "DOWNGRADE"
    await backend.advance("P3D")
    assert len(await _mails(backend, person, _CHANGED)) == 1
    await backend.advance("P30D")
    mails = await _mailed(backend, person, _CHANGED, 2)
    assert "Now: Team, 2 seats, paid monthly. Before: Team, 4 seats" in mails[0]["text"]


async def test_a_cancellation_is_told_with_its_day_and_once(backend: RunningBackend) -> None:
    person = await _in_team(backend)
    assert codes(await cancel(backend, person)) == []
    [mail] = await _mailed(backend, person, _CANCELED)
    end = datetime.fromisoformat((await subscription(backend, person))["currentPeriod"]["end"]).astimezone(UTC)
    assert f"it ends on {end:%Y-%m-%d at %H:%M} UTC." in mail["text"]
    await _are_repeated(backend, person)
    assert len(await _mails(backend, person, _CANCELED)) == 1


async def test_canceling_again_after_it_was_taken_back_is_told_again(backend: RunningBackend) -> None:
    person = await _in_team(backend)
    await cancel(backend, person)
    await _mailed(backend, person, _CANCELED, 1)
    await keep(backend, person)
    await backend.advance("PT1M")
    await cancel(backend, person)
    await _mailed(backend, person, _CANCELED, 2)


async def test_a_paid_invoice_of_a_subscription_is_told_with_number_amount_and_page(backend: RunningBackend) -> None:
    person = await _in_team(backend)
    [mail] = await _mailed(backend, person, "Invoice")
    [invoice] = await backend.invoices(person)
    assert mail["subject"] == f"Invoice {invoice['number']} is paid: 38.00 EUR"
    assert mail["links"] == [invoice["hostedUrl"]]
    await _are_repeated(backend, person)
    assert len(await _mails(backend, person, "Invoice")) == 1


@pytest.mark.catalogs("analytics", "compute")
async def test_a_purchase_of_credits_is_told_once(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    bought = await backend.recharge(person, key="once")
    await backend.recharge(person, key="once")
    [mail] = await _mailed(backend, person, "Invoice")
    total = bought["invoice"]["total"]["amount"]
    assert (
        mail["subject"]
        == f"Invoice {bought['invoice']['number']} is paid: {total} {backend.parts.runtime.catalog.currency}"
    )


async def test_what_credit_paid_is_said(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, person)}", balance="-200")
    await backend.recharge(person)
    [mail] = await _mailed(backend, person, "Invoice")
    assert "over 5.00 EUR is paid. Of that, 2.00 EUR was paid by credit." in mail["text"]


async def test_a_failed_renewal_names_the_amount_and_where_to_pay_it(own_backend: RunningBackend) -> None:
    backend, person = own_backend, await _in_team(own_backend)
    failing = await backend.add_card(person, "pm_card_chargeCustomerFail")
    document = "mutation ($input: IdInput!) { setDefaultPaymentMethod(input: $input) { userErrors { code } } }"
    await backend.api.query(document, {"input": {"id": failing}}, token=person.token)
    await backend.advance("P32D")
    [mail] = await _mailed(backend, person, "Your subscription could not be renewed")
    [invoice] = [each for each in await backend.invoices(person) if each["status"] == "OPEN"]
    assert "could not be charged 38.00 EUR for its subscription" in mail["text"]
    assert mail["links"] == [invoice["hostedUrl"]]
