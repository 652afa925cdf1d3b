"""What must be true of subscriptions when a scenario has come to its end, wherever it was interrupted."""

from __future__ import annotations

from typing import Any, Final

from tests.crash import subscription_steps as steps
from tests.crash.customer import Customer
from tests.crash.steps import GOOD, LAST4, codes
from tests.crash.subscription_steps import HIGHER, LOWER, MORE_SEATS

_AT_REST: Final = {
    "subscription_changes": {"DONE", "FAILED", "LAPSED", "TAKEN_BACK"},
    "subscription_checkouts": {"SETTLED", "EXPIRED", "FAILED"},
    "plan_moves": {"DONE"},
}


async def subscribed_on_one_page(customer: Customer, point: str) -> None:
    """One page at most can be paid; paid there, if nobody has, the subscription is there, and its card is the default."""
    asked = await steps.ask_for_page(customer)
    if codes(asked) == []:
        await steps.pays_on_the_page(customer)
        await customer.environment.everything_is_told()
        asked = await steps.ask_for_page(customer)
    assert codes(asked) == ["CONFLICT"]
    await _has(customer, *LOWER[customer.catalog])
    [card] = await customer.cards()
    assert (card["last4"], card["isDefault"]) == (LAST4[GOOD], True)
    assert len(await customer.listed("/v1/customers")) == 1
    assert len(await _paid(customer)) == 1


async def upgraded_once(customer: Customer, point: str) -> None:
    """The higher plan, charged once after the first period was."""
    assert codes(await steps.change(customer, *HIGHER)) == []
    await _has(customer, *HIGHER)
    assert len(await _paid(customer)) == 2


async def seats_added_once(customer: Customer, point: str) -> None:
    """The seats, charged once after the first period was, and nothing of the downgrade that they replace."""
    assert codes(await steps.change(customer, HIGHER[0], MORE_SEATS)) == []
    await _has(customer, HIGHER[0], MORE_SEATS)
    assert len(await _paid(customer)) == 2


async def downgraded(customer: Customer, point: str) -> None:
    """The higher plan still, and the lower one when the period ends."""
    await _has(customer, *HIGHER, then=LOWER[customer.catalog])
    assert len(await _paid(customer)) == 1


async def canceled(customer: Customer, point: str) -> None:
    """The higher plan still, which ends with its period."""
    await _has(customer, *HIGHER, ends=True)
    assert len(await _paid(customer)) == 1


async def lapsed(customer: Customer, point: str) -> None:
    """As before the upgrade: the downgrade that it displaced is pending again, and nothing was charged for it."""
    await _has(customer, *HIGHER, then=LOWER[customer.catalog])
    assert codes(await steps.change(customer, HIGHER[0], MORE_SEATS)) == ["PAYMENT_DECLINED"]
    assert await _paid(customer) == []


async def left_the_legacy_plan_once(customer: Customer, point: str) -> None:
    """The plan that the legacy one is left for, nothing live at the provider, and all that was paid refunded once."""
    assert codes(await steps.leave(customer)) == []
    found = await steps.shown(customer)
    assert (found["plan"]["code"], found["status"], found["pendingChange"]) == ("pay-as-you-go", "ACTIVE", None)
    assert [each["status"] for each in await steps.subscriptions(customer)] == ["canceled"]
    [charge] = await _paid(customer)
    refunds = await customer.environment.sandbox.listed("/v1/refunds", payment_intent=charge["payment_intent"])
    assert [each["amount"] for each in refunds] == [charge["amount"]]
    [refund] = await customer.rows("status, provider_id", "plan_refunds")
    assert (refund["status"], refund["provider_id"]) == ("SUCCEEDED", refunds[0]["id"])
    assert len(await customer.rows("reason", "notices", "AND reason LIKE 'PLAN_MOVED:%'")) == 1
    assert await customer.rows("reason", "notices", "AND reason LIKE 'ENDED%'") == []


async def ended_unpaid(customer: Customer, point: str) -> None:
    """Nothing is left of the subscription, and nothing was ever charged."""
    found = await steps.shown(customer)
    assert found["status"] == "CANCELED"
    assert [each["status"] for each in await steps.subscriptions(customer)] == ["canceled"]
    assert await _paid(customer) == []


async def _has(
    customer: Customer, plan: str, seats: int, *, then: tuple[str, int] | None = None, ends: bool = False
) -> None:
    """The product shows this plan, and what is decided for later; the provider bills it, and has the same decided."""
    found = await steps.shown(customer)
    pending: dict[str, Any] = found["pendingChange"] or {}
    assert (found["status"], found["plan"]["code"], found["seats"]["total"]) == ("ACTIVE", plan, seats)
    assert pending.get("kind") == ("DOWNGRADE" if then is not None else "CANCELLATION" if ends else None)
    [live] = await steps.live_subscriptions(customer)
    assert (live["status"], live["pending_update"]) == ("active", None)
    assert await _billed(customer, live["items"]["data"]) == (plan, seats)
    assert live["cancel_at_period_end"] == found["cancelAtPeriodEnd"] == ends
    assert (live["schedule"] is not None) == (then is not None)
    if then is not None:
        assert (pending["plan"]["code"], pending["seats"]) == then
        schedule = await customer.environment.sandbox.fetched(f"/v1/subscription_schedules/{live['schedule']}")
        assert await _billed(customer, schedule["phases"][-1]["items"]) == then


async def _billed(customer: Customer, items: list[dict[str, Any]]) -> tuple[str, int]:
    """What items bill: the plans here cost something for each seat, and nothing besides."""
    [item] = items
    # a schedule names its prices by their ids alone
    price_id: str = item["price"] if isinstance(item["price"], str) else item["price"]["id"]
    price = await customer.environment.sandbox.fetched(f"/v1/prices/{price_id}")
    [plan] = [code for code in (HIGHER[0], LOWER[customer.catalog][0]) if code in price["lookup_key"].split("-")]
    return plan, item["quantity"]


async def _paid(customer: Customer) -> list[dict[str, Any]]:
    return [each for each in await customer.listed("/v1/charges") if each["paid"]]


async def bills_are_right(customer: Customer) -> None:
    """What was charged is what paid invoices say, nothing is open or under way, and one card is charged everywhere."""
    charged = sorted(each["amount"] for each in await _paid(customer))
    invoices = await customer.listed("/v1/invoices")
    assert charged == sorted(
        each["amount_paid"] for each in invoices if each["status"] == "paid" and each["amount_paid"]
    )
    assert {each["status"] for each in invoices} <= {"paid", "void"}
    at_provider = {each["id"]: each["status"].upper() for each in invoices}
    mirrored = {row["provider_id"]: row["status"] for row in await customer.rows("provider_id, status", "invoices")}
    assert mirrored.items() <= at_provider.items()
    for table, states in _AT_REST.items():
        assert {row["state"] for row in await customer.rows("state", table)} <= states
    # one that was opened just before a crash closes by itself: nobody was told its address
    told = {row["session_id"] for row in await customer.rows("session_id", "subscription_checkouts")}
    assert told.isdisjoint(page["id"] for page in await steps.open_pages(customer, "subscription"))
    live = await steps.live_subscriptions(customer)
    rows = await customer.rows("provider_id", "subscriptions", "AND provider_id IS NOT NULL")
    assert [row["provider_id"] for row in rows] == [each["id"] for each in live]
    for each in live:
        owner = await customer.environment.sandbox.fetched(f"/v1/customers/{each['customer']}")
        assert each["default_payment_method"] == owner["invoice_settings"]["default_payment_method"]
