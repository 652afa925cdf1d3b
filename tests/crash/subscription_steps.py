"""What customers who subscribe do, and what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from app.billing.subscriptions.goals import TERMS_ID, WORKSPACE_ID
from app.billing.subscriptions.plan_choice import PlanChoice
from app.catalog import BillingInterval, plan_terms
from app.flows.provider.cards import sync_cards
from app.flows.provider.customers import ensure_customer
from app.flows.subscriptions.checkout_page import items_to_buy
from app.flows.subscriptions.endings import end_subscriptions
from app.flows.subscriptions.sync import sync_subscription
from app.jobs.time_travel import load_offset
from tests.crash.customer import Customer
from tests.crash.steps import (
    ASKING,
    FAILING,
    GOOD,
    codes,
    killed_at,
    nothing_is_reported,
    open_pages,
    provider_reports,
    reports_are_held,
    two_minutes_pass,
)
from tests.support.plan_moves import TRANSITION_PLAN
from tests.support.subscribing import CANCEL, CHANGE_PLAN, CREATE_CHECKOUT, SUBSCRIPTION

__all__ = ("nothing_is_reported", "open_pages", "provider_reports", "reports_are_held", "two_minutes_pass")

KEY: Final = "the one change"
LOWER: Final = {"analytics": ("team", 3), "messaging": ("starter", 3)}
HIGHER: Final = ("business", 5)
LEGACY: Final = ("essential", 3)
MORE_SEATS: Final = 9

_TRY_LATER: Final = (["PAYMENT_UNAVAILABLE"], ["PAYMENT_PENDING"])
_TRY_AGAIN_SECONDS: Final = 0.1
# an address, in the country whose tax analytics charges
_ON_THE_PAGE: Final = {
    "card": GOOD,
    "name": "Ada Example",
    "line1": "Damrak 1",
    "city": "Amsterdam",
    "postal_code": "1012 LG",
    "country": "NL",
}


async def somebody_on_the_lower_plan(customer: Customer) -> None:
    """Someone who subscribed a moment ago, with a card that pays."""
    await begins(customer, *LOWER[customer.catalog])


async def somebody_on_the_higher_plan(customer: Customer) -> None:
    """Someone who subscribed a moment ago, with a card that pays."""
    await begins(customer, *HIGHER)


async def somebody_whose_period_ends_soon(customer: Customer) -> None:
    """Someone who subscribed a moment ago, with a first period of ten hours that costs nothing, and a card that pays."""
    await begins(customer, *HIGHER, **_renewing(customer, timedelta(hours=10)))


async def somebody_whose_renewal_failed(customer: Customer) -> None:
    """Someone whose subscription was charged for the first time a while ago, to a card that was declined."""
    await begins(customer, *LOWER[customer.catalog], card=FAILING, **_renewing(customer, timedelta(hours=1)))
    await nothing_is_reported(customer)
    await customer.environment.advance("PT3H")


async def somebody_on_a_legacy_plan(customer: Customer) -> None:
    """Someone whom an operator has put on a plan that is only left, with a card that paid it a moment ago."""
    await begins(customer, *LEGACY)


async def leaves_the_legacy_plan(customer: Customer) -> None:
    """The customer leaves the legacy plan, and asks again while told that it can't be said yet what came of it."""
    await _until_told(lambda: leave(customer))


async def leave(customer: Customer) -> dict[str, Any]:
    """The payload of `transitionPlan` under the one key."""
    return await _mutate(customer, TRANSITION_PLAN, "transitionPlan", {"idempotencyKey": KEY})


def _renewing(customer: Customer, after: timedelta) -> dict[str, str]:
    """What lets a subscription renew so soon, and cost nothing until then."""
    renews_at = customer.environment.database.clock.now() + after
    return {"billing_cycle_anchor": str(int(renews_at.timestamp())), "proration_behavior": "none"}


async def begins(customer: Customer, plan: str, seats: int, *, card: str = GOOD, **more: str) -> None:
    """Begin a subscription at the provider, and mirror it by the product's own steps, but without the server.

    How a customer subscribes is a scenario of its own.
    """
    environment, context = customer.environment, customer.environment.flow_context
    workspace_id, sandbox = customer.person.workspace_id, customer.environment.sandbox
    await sandbox.deliver("drop")
    customer_id = await ensure_customer(context, workspace_id)
    attached = await sandbox.post(f"/v1/payment_methods/{card}/attach", customer=customer_id)
    await context.gateway.set_default_card(customer_id, attached["id"])
    terms = next(plan_terms(context.catalog, each) for each in context.catalog.plans if each.code == plan)
    choice = PlanChoice(terms, BillingInterval.MONTH, seats)
    items, tax_rate_ids = await items_to_buy(context, choice, "NL")
    bought = {f"items[{n}][price]": item.price_id for n, item in enumerate(items)}
    bought |= {f"items[{n}][quantity]": str(item.quantity) for n, item in enumerate(items)}
    bought |= {f"default_tax_rates[{n}]": rate for n, rate in enumerate(tax_rate_ids)}
    bought |= {f"metadata[{TERMS_ID}]": terms.id, f"metadata[{WORKSPACE_ID}]": str(workspace_id)}
    await sandbox.post(
        "/v1/subscriptions", customer=customer_id, default_payment_method=attached["id"], **bought, **more
    )
    await sync_cards(context, workspace_id)
    await sync_subscription(context, workspace_id)
    await environment.jobs_are_done()
    await sandbox.deliver("hold")


async def card_that_asks(customer: Customer) -> None:
    """The subscription is charged to a card that asks its holder from now on."""
    context, workspace_id = customer.environment.flow_context, customer.person.workspace_id
    [live] = await live_subscriptions(customer)
    attached = await customer.environment.sandbox.post(
        f"/v1/payment_methods/{ASKING}/attach", customer=live["customer"]
    )
    await context.gateway.set_default_card(live["customer"], attached["id"])
    # the job that follows lets the subscription have it
    await sync_cards(context, workspace_id)
    await customer.environment.jobs_are_done()


async def opens_a_page(customer: Customer) -> None:
    """The customer asks for a page to subscribe on, and again while told that there can't be one now."""
    await _until_told(lambda: ask_for_page(customer))


async def ask_for_page(customer: Customer) -> dict[str, Any]:
    """The payload of `createCheckout` under the one key."""
    plan, seats = LOWER[customer.catalog]
    given = {"planCode": plan, "interval": "MONTH", "seats": seats, "idempotencyKey": KEY}
    return await _mutate(customer, CREATE_CHECKOUT, "createCheckout", given)


async def pays_on_the_page(customer: Customer) -> None:
    """The customer pays on the page whose address they were given."""
    answer = await customer.environment.api.http.post((await ask_for_page(customer))["url"], data=_ON_THE_PAGE)
    assert answer.status_code == 303, answer.text


async def upgrades(customer: Customer) -> None:
    """The customer takes the higher plan, and asks again while told that it can't be said yet what came of it."""
    await _change(customer, *HIGHER)


async def adds_seats(customer: Customer) -> None:
    """The customer has more seats on the higher plan."""
    await _change(customer, HIGHER[0], MORE_SEATS)


async def downgrades(customer: Customer) -> None:
    """The customer lets the lower plan follow."""
    await _change(customer, *LOWER[customer.catalog])


async def _change(customer: Customer, plan: str, seats: int) -> None:
    await _until_told(lambda: change(customer, plan, seats))


async def change(customer: Customer, plan: str, seats: int) -> dict[str, Any]:
    """The payload of `changePlan` under a key that says to what."""
    given = {"planCode": plan, "seats": seats, "idempotencyKey": f"to {plan} with {seats}"}
    return await _mutate(customer, CHANGE_PLAN, "changePlan", given)


async def cancels(customer: Customer) -> None:
    """The customer cancels, and asks again while told that it can't be now."""
    await _until_told(lambda: _mutate(customer, CANCEL, "cancelSubscription", {}))


async def _until_told(ask: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    while True:
        if codes(await ask()) not in _TRY_LATER:
            return
        await asyncio.sleep(_TRY_AGAIN_SECONDS)


async def _mutate(customer: Customer, document: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    return (await customer.ask(document, {"input": {"workspaceId": customer.person.workspace, **given}}))[name]


async def left_with_the_downgrade_released(customer: Customer) -> None:
    """The customer wanted more seats, and the server died when it had released the schedule of the downgrade."""
    await killed_at("stripe.release_schedule:after", adds_seats)(customer)
    await nothing_is_reported(customer)


async def the_period_is_nearly_over(customer: Customer) -> None:
    """An hour is left of the period: an upgrade does not wait for its payment any more."""
    [row] = await customer.rows("period_end", "subscriptions")
    database = customer.environment.database
    await load_offset(database)
    left = row["period_end"] - timedelta(hours=1) - database.clock.now()
    if left > timedelta():
        await customer.environment.advance(f"PT{int(left.total_seconds()) + 1}S")


async def grace_passes(customer: Customer) -> None:
    """Longer than access lasts after a renewal that was not paid."""
    await customer.environment.advance("P8D")


async def shown(customer: Customer) -> dict[str, Any]:
    """The subscription that the product shows."""
    return (await customer.ask(SUBSCRIPTION, {"id": customer.person.workspace}))["workspace"]["subscription"]


async def subscriptions(customer: Customer) -> list[dict[str, Any]]:
    """What the provider has of the customer's subscriptions, ended ones too, the newest first."""
    rows = await customer.rows("customer_id", "billing_accounts", "AND customer_id IS NOT NULL")
    if not rows:
        return []
    return await customer.environment.sandbox.listed("/v1/subscriptions", customer=rows[0]["customer_id"], status="all")


async def live_subscriptions(customer: Customer) -> list[dict[str, Any]]:
    """Those of the customer's subscriptions that have not ended."""
    return [each for each in await subscriptions(customer) if each["status"] not in ("canceled", "incomplete_expired")]


async def ends_everything(customer: Customer) -> None:
    """The customer's subscriptions end, so that nothing of theirs falls due while another one acts."""
    context, workspace_id = customer.environment.flow_context, customer.person.workspace_id
    await nothing_is_reported(customer)
    await end_subscriptions(context, [workspace_id])
    await sync_subscription(context, workspace_id)
    await customer.environment.jobs_are_done()
