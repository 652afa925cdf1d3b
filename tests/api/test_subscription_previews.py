"""What a change of a subscription would come to, and the quote that holds it to that."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.previews import PREVIEW, balance, charge_to, charged, jump_to, period_of, preview, time_stands_at
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    customer_of,
    keep,
    provider_id,
    subscribe,
    subscription,
)

_AMOUNTS = (
    "timing",
    "effectiveAt",
    "dueNow",
    "subtotal",
    "tax",
    "creditApplied",
    "recurringPrice",
    "recurringTotal",
    "quote",
)


def _is_refused(shown: dict[str, Any], code: str, path: str | None = None) -> bool:
    """Whether a preview says only why the change can't be made."""
    [error] = shown["userErrors"]
    assert [shown[name] for name in _AMOUNTS] == [None] * len(_AMOUNTS)
    assert shown["lines"] == []
    return (error["code"], error["path"]) == (code, ["input", path] if path is not None else None)


async def _subscribed(backend: RunningBackend) -> Person:
    """Somebody with five seats of Team, by the month."""
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=5)
    return person


async def test_the_first_plan_is_previewed_for_somebody_who_is_no_customer_yet(backend: RunningBackend) -> None:
    person = await backend.sign_up()

    shown = await preview(backend, person, planCode="team", interval="YEAR", seats=3)

    assert shown["userErrors"] == []
    assert (shown["timing"], shown["dueNow"]["amount"], shown["tax"]["amount"]) == ("IMMEDIATE", "570.00", "98.93")
    assert (shown["recurringPrice"]["amount"], shown["recurringTotal"]["amount"]) == ("570.00", "570.00")
    [line] = shown["lines"]
    assert (line["plan"], line["quantity"], line["isProration"]) == ({"code": "team"}, 3, False)
    # the page on which it is bought tells its own price
    assert (shown["quote"], shown["quoteExpiresAt"]) == (None, None)
    assert await backend.stripe_invoices(person) == []


async def test_a_change_charges_what_its_quote_said(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    before = await charged(backend, person)

    shown = await preview(backend, person, planCode="business")
    changed = await change_plan(backend, person, "business", quote=shown["quote"])

    assert changed["userErrors"] == []
    assert (changed["subscription"]["plan"]["code"], changed["subscription"]["seats"]["total"]) == ("business", 5)
    assert f"{(await charged(backend, person) - before) / 100:.2f}" == shown["dueNow"]["amount"]
    assert await balance(backend, person) == 0
    newest = (await backend.invoices(person))[0]
    assert [line["amount"] for line in newest["lines"]] == [
        {"amount": line["amount"]["amount"], "currency": "EUR"} for line in shown["lines"]
    ]
    assert (newest["total"]["amount"], newest["tax"]["amount"]) == (shown["dueNow"]["amount"], shown["tax"]["amount"])


async def _at_stripe(backend: RunningBackend, person: Person) -> tuple[object, ...]:
    """What a change would touch: the subscription's items, its end and its schedule, invoices, and the customer's balance."""
    found = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    kept = [found[name] for name in ("items", "metadata", "schedule", "cancel_at", "pending_update", "latest_invoice")]
    return kept, await backend.stripe_invoices(person), await balance(backend, person)


async def test_a_preview_changes_nothing(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    before = await _at_stripe(backend, person), await subscription(backend, person)

    wanted: list[dict[str, object]] = [
        {"seats": 9},
        {"planCode": "personal"},
        {"planCode": "free"},
        {"interval": "YEAR"},
    ]
    for each in wanted:
        assert (await preview(backend, person, **each))["userErrors"] == []

    assert (await _at_stripe(backend, person), await subscription(backend, person)) == before


async def test_what_falls_costs_nothing_now_and_needs_no_quote(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    _, ends_at = period_of(await subscription(backend, person))

    for plan, recurring in (("personal", "9.00"), ("free", "0.00")):
        shown = await preview(backend, person, planCode=plan)

        assert (shown["timing"], datetime.fromisoformat(shown["effectiveAt"])) == ("PERIOD_END", ends_at)
        assert [shown[name]["amount"] for name in ("dueNow", "subtotal", "tax", "creditApplied")] == ["0.00"] * 4
        assert [shown[name]["amount"] for name in ("recurringPrice", "recurringTotal")] == [recurring] * 2
        assert (shown["lines"], shown["quote"], shown["quoteExpiresAt"]) == ([], None, None)


async def test_the_last_part_of_a_change_to_yearly_waits_for_the_years_end(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    began_at, _ = period_of(await subscription(backend, person))

    shown = await preview(backend, person, interval="YEAR", seats=2)
    changed = await change_plan(backend, person, "team", interval="YEAR", seats=2, quote=shown["quote"])

    assert shown["timing"] == "MIXED"
    assert datetime.fromisoformat(shown["effectiveAt"]).year == began_at.year + 1
    assert changed["subscription"]["pendingChange"]["effectiveAt"] == shown["effectiveAt"]
    assert (shown["recurringPrice"]["amount"], shown["recurringTotal"]["amount"]) == ("380.00", "380.00")


async def test_a_preview_tells_what_it_would_replace(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    assert (await preview(backend, person, seats=4))["replaces"] is None
    await change_seats(backend, person, 3)

    shown = await preview(backend, person, seats=4)
    assert (shown["replaces"]["kind"], shown["replaces"]["seats"]) == ("DOWNGRADE", 3)
    await cancel(backend, person)
    shown = await preview(backend, person, planCode="business")
    assert (shown["replaces"]["kind"], shown["replaces"]["plan"]) == ("CANCELLATION", {"code": "free"})

    # what equals the present takes it back, and costs nothing
    shown = await preview(backend, person, seats=5)
    assert (shown["timing"], shown["dueNow"]["amount"], shown["quote"]) == ("IMMEDIATE", "0.00", None)
    assert shown["replaces"]["kind"] == "CANCELLATION"


@pytest.mark.parametrize(
    ("wanted", "code", "path"),
    [
        ({"planCode": "gold"}, "PLAN_UNAVAILABLE", "planCode"),
        ({"planCode": "enterprise"}, "NOT_SELF_SERVE", "planCode"),
        ({"seats": 51}, "SEAT_LIMIT", "seats"),
        ({"seats": 5}, "NO_CHANGE", None),
        ({"addOns": [{"addOnCode": "fax", "quantity": 1}]}, "INVALID_INPUT", "addOns"),
        ({"addOns": [{"addOnCode": "fax", "quantity": 1}] * 2}, "INVALID_INPUT", "addOns"),
    ],
)
async def test_what_cant_be_had_is_said_without_amounts(
    backend: RunningBackend, wanted: dict[str, object], code: str, path: str | None
) -> None:
    person = await _subscribed(backend)

    assert _is_refused(await preview(backend, person, **wanted), code, path)


async def test_a_first_plan_that_cant_be_had_is_said_too(backend: RunningBackend) -> None:
    person = await backend.sign_up()

    assert _is_refused(await preview(backend, person, seats=3), "INVALID_INPUT", "planCode")
    assert _is_refused(await preview(backend, person, planCode="free"), "NO_CHANGE")
    assert _is_refused(await preview(backend, person, planCode="team", seats=1), "SEAT_LIMIT", "seats")


async def test_while_a_change_waits_for_its_payment_nothing_is_priced(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    await charge_to(backend, person, "pm_card_authenticationRequired")
    waiting = await change_seats(backend, person, 6)
    assert codes(waiting) == ["PAYMENT_ACTION_REQUIRED"]

    assert _is_refused(await preview(backend, person, seats=7), "PAYMENT_PENDING")

    assert codes(await keep(backend, person)) == []
    assert (await preview(backend, person, seats=7))["userErrors"] == []


async def test_while_the_renewal_is_unpaid_an_upgrade_has_no_price_and_less_is_told(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    _, ends_at = period_of(await subscription(backend, person))
    await jump_to(backend, ends_at + timedelta(minutes=5))

    # the renewal is a draft for an hour
    assert _is_refused(await preview(backend, person, seats=6), "PAYMENT_PENDING")
    assert (await preview(backend, person, seats=4))["timing"] == "PERIOD_END"

    await jump_to(backend, ends_at + timedelta(hours=2))
    assert (await preview(backend, person, seats=6))["userErrors"] == []


async def test_while_stripe_is_away_the_answer_says_so(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    given = {"input": {"workspaceId": person.workspace, "seats": 6}}
    for path in ("/v1/subscriptions.*", "/v1/invoices/create_preview"):
        for method in ("GET", "POST"):
            await backend.sandbox.fail("error_500", path, method=method, times=20)
        response = await backend.api.send(PREVIEW, given, token=person.token)
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "UNAVAILABLE"
        await backend.sandbox.restore()

    assert (await preview(backend, person, seats=6))["userErrors"] == []


# the quote


async def _quoted(backend: RunningBackend, person: Person, **wanted: object) -> str:
    shown = await preview(backend, person, **wanted)
    assert shown["userErrors"] == []
    return shown["quote"]


async def _settled(backend: RunningBackend, person: Person) -> dict[str, Any]:
    """The subscription without its version, which late events of the first payment still raise."""
    return {name: value for name, value in (await subscription(backend, person)).items() if name != "version"}


async def _price_changed(backend: RunningBackend, person: Person, seats: int, quote: str) -> bool:
    """Whether the quote is refused for this number of seats, with nothing changed and nothing charged."""
    before = await charged(backend, person), await _settled(backend, person)
    refused = await change_seats(backend, person, seats, quote=quote)
    assert (await charged(backend, person), await _settled(backend, person)) == before
    return [(error["code"], error["path"]) for error in refused["userErrors"]] == [
        ("PRICE_CHANGED", ["input", "quote"])
    ]


async def test_a_quote_is_for_its_change_alone(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    quote = await _quoted(backend, person, seats=6)

    assert await _price_changed(backend, person, 7, quote)
    # what costs nothing now has no quote, so any quote is one for something else
    assert await _price_changed(backend, person, 4, quote)
    # the same change said in another way is the same change
    assert codes(await change_plan(backend, person, "team", seats=6, interval="MONTH", quote=quote)) == []


async def test_a_quote_is_for_its_workspace_alone(backend: RunningBackend) -> None:
    person, other = await _subscribed(backend), await _subscribed(backend)

    assert await _price_changed(backend, person, 6, await _quoted(backend, other, seats=6))


@pytest.mark.parametrize("quote", ["", "nothing", "a.b"])
async def test_what_is_no_quote_charges_nothing(backend: RunningBackend, quote: str) -> None:
    person = await _subscribed(backend)

    assert await _price_changed(backend, person, 6, quote)
    own = await _quoted(backend, person, seats=6)
    assert await _price_changed(backend, person, 6, own[:-1])


async def test_a_quote_lapses(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    shown = await preview(backend, person, seats=6)
    lapses_at = datetime.fromisoformat(shown["quoteExpiresAt"])

    with time_stands_at(lapses_at):
        assert await _price_changed(backend, person, 6, shown["quote"])
    with time_stands_at(lapses_at - timedelta(seconds=1)):
        assert codes(await change_seats(backend, person, 6, quote=shown["quote"])) == []


async def test_a_quote_ends_with_the_version_of_the_subscription(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    quote = await _quoted(backend, person, seats=6)
    await change_seats(backend, person, 4)

    assert await _price_changed(backend, person, 6, quote)


async def test_a_change_is_made_once_by_its_quote(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    quote = await _quoted(backend, person, seats=6)
    key = uuid4().hex
    assert codes(await change_seats(backend, person, 6, quote=quote, idempotencyKey=key)) == []
    paid = await charged(backend, person)

    # the key answers, whatever became of the quote since
    again = await change_seats(backend, person, 6, quote=quote, idempotencyKey=key)
    assert (codes(again), again["subscription"]["seats"]["total"]) == ([], 6)
    assert await charged(backend, person) == paid
    assert codes(await change_seats(backend, person, 6, quote=quote)) == ["NO_CHANGE"]


async def test_another_price_at_stripe_is_told_instead_of_charged(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    quote = await _quoted(backend, person, seats=6)
    # the seller frees the customer from tax, in Stripe's dashboard
    await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, person)}", tax_exempt="exempt")

    assert await _price_changed(backend, person, 6, quote)
    assert codes(await change_seats(backend, person, 6, quote=await _quoted(backend, person, seats=6))) == []


async def test_a_quote_does_not_outlive_the_period(backend: RunningBackend) -> None:
    person = await _subscribed(backend)
    _, ends_at = period_of(await subscription(backend, person))
    with time_stands_at(ends_at - timedelta(minutes=3)):
        shown = await preview(backend, person, seats=6)

    assert datetime.fromisoformat(shown["quoteExpiresAt"]) == ends_at
