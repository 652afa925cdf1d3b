"""What leads up to a crash, and who does what: steps that scenarios are put together from."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any, Final

from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.provider.cards import sync_cards
from app.flows.provider.customers import ensure_customer
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant
from app.ledger.post_movements import post_one
from tests.crash.customer import Customer, Step

KEY: Final = "the first recharge"
GOOD, FAILING, ASKING = "pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"
LAST4: Final = {GOOD: "4242", FAILING: "0341", ASKING: "3184"}

_LOOKED: Final = "credits.due:after-commit"


async def somebody_with_three_cards(customer: Customer) -> None:
    """A verified phone where one is asked for; a card that pays (the default), one that is declined, one that asks its holder.

    They are saved with the provider and mirrored by the product's own steps, but without the server: how a customer saves a card is
    a scenario of its own.
    """
    environment = customer.environment
    if customer.catalog == "compute":
        await customer.verify_phone()
    await environment.sandbox.deliver("drop")
    workspace_id = customer.person.workspace_id
    made = await ensure_customer(environment.flow_context, workspace_id)
    for card in (GOOD, FAILING, ASKING):
        await environment.sandbox.post(f"/v1/payment_methods/{card}/attach", customer=made)
    await sync_cards(environment.flow_context, workspace_id)
    await environment.sandbox.deliver("hold")


async def somebody_without_cards(customer: Customer) -> None:
    """A verified phone where one is asked for, and nothing at the provider yet."""
    if customer.catalog == "compute":
        await customer.verify_phone()


@functools.cache
def recharging(card: str) -> Step:
    """The customer recharges with a card, and asks again while told that the payment is unavailable."""

    async def act(customer: Customer) -> None:
        payload = await recharge(customer, card)
        while codes(payload) == ["PAYMENT_UNAVAILABLE"]:
            payload = await recharge(customer, card)

    return act


async def recharge(customer: Customer, card: str) -> dict[str, Any]:
    """The payload of a recharge with a card under the one key."""
    return await customer.recharge(KEY, paymentMethodId=await customer.card_that_ends_in(LAST4[card]))


async def holder_confirms(customer: Customer) -> None:
    """The holder of the card that asks tells the bank yes, if the bank wants to know."""
    [error] = (await recharge(customer, ASKING))["userErrors"]
    if error["code"] == "PAYMENT_ACTION_REQUIRED":
        await customer.environment.sandbox.answer_the_bank(error["hostedUrl"], "complete")


async def checks_out(customer: Customer) -> None:
    """The customer without a card asks for a page to pay on, and again while told that there can't be one now."""
    while codes(await customer.recharge(KEY)) == ["PAYMENT_UNAVAILABLE"]:
        pass


async def pays_on_the_page(customer: Customer) -> None:
    """The customer pays on the page that is open."""
    [page] = await open_pages(customer)
    answer = await customer.environment.api.http.post(page["url"], data={"card": GOOD})
    assert answer.status_code == 303, answer.text


async def open_pages(customer: Customer, mode: str = "payment") -> list[dict[str, Any]]:
    """The pages on which the customer could pay, or save a card (`setup`)."""
    pages = await customer.listed("/v1/checkout/sessions")
    return [page for page in pages if page["mode"] == mode and page["status"] == "open"]


async def close_pages(customer: Customer) -> None:
    """The pages on which the customer could save a card are closed, untold, and nobody looks for the card any more, so that
    nothing falls due later.
    """
    for page in await open_pages(customer, "setup"):
        await customer.environment.sandbox.deliver("drop")
        await customer.environment.sandbox.post(f"/v1/checkout/sessions/{page['id']}/expire")
    async with customer.environment.database.raw() as connection:
        await connection.execute("UPDATE billing_accounts SET cards_check_at = NULL")


async def is_refunded(customer: Customer) -> None:
    """The seller gives everything back at the provider, unless that was done."""
    charge = await _charge(customer)
    if not charge["refunded"]:
        await customer.environment.sandbox.post("/v1/refunds", charge=charge["id"])


async def is_disputed(customer: Customer) -> None:
    """The cardholder disputes the charge, unless that was done."""
    charge = await _charge(customer)
    if not charge["disputed"]:
        url = f"{customer.environment.sandbox.url}/_sandbox/disputes"
        (await customer.environment.api.http.post(url, json={"charge": charge["id"]})).raise_for_status()


async def _charge(customer: Customer) -> dict[str, Any]:
    [charge] = [each for each in await customer.listed("/v1/charges") if each["paid"]]
    return charge


async def everything_is_told(customer: Customer) -> None:
    """What happened so far is told, and what happens from now on will be."""
    await customer.environment.everything_is_told()


async def reports_are_held(customer: Customer) -> None:
    """The provider's events are kept back from now on."""
    await customer.environment.sandbox.deliver("hold")


async def a_card_is_confirmed(customer: Customer) -> None:
    """A card is saved with the provider, which has not reported it."""
    await customer.environment.sandbox.deliver("hold")
    await customer.confirm_card(await customer.begin_card(), GOOD)


async def provider_reports(customer: Customer) -> None:
    """Everything that happened at the provider is reported."""
    await customer.environment.sandbox.deliver("normal")
    await customer.environment.sandbox.flush()


async def a_card_is_begun(customer: Customer) -> None:
    """The customer begins to save a card."""
    await customer.begin_card()


async def two_minutes_pass(customer: Customer) -> None:
    """Longer than a purchase is left alone."""
    await customer.environment.advance("PT2M")


async def half_an_hour_passes(customer: Customer) -> None:
    """Longer than a payment waits for its holder."""
    await customer.environment.advance("PT31M")


def killed_at(point: str, act: Step) -> Step:
    """The server was killed at a point before, and what it was doing has been left as it was then."""

    async def prepare(customer: Customer) -> None:
        customer.environment.strike_at(point)
        await customer.attempt(act)
        await customer.environment.was_struck()

    return prepare


async def credits_expire_while_nothing_runs(customer: Customer) -> None:
    """Credits that expire in an hour, and a server that is next started after that."""
    environment = customer.environment
    grant = Grant(
        workspace_id=customer.person.workspace_id,
        amount=100,
        source=Source.PROMOTION,
        description="A promotion",
        expires_at=environment.database.clock.now() + timedelta(hours=1),
    )

    async def work(session: Session) -> None:
        await post_one(session, grant)

    await transact(environment.database, work)
    await environment.stop()
    async with environment.database.raw() as connection:
        await connection.execute(
            "INSERT INTO clock_offset (id, ahead) VALUES (1, INTERVAL '2 hours')"
            " ON CONFLICT (id) DO UPDATE SET ahead = clock_offset.ahead + excluded.ahead"
        )


async def a_second_passes(customer: Customer) -> None:
    """What is due is done by itself, within a second."""
    looked = customer.environment.points.passed.count(_LOOKED)
    await customer.environment.until(lambda passed: passed.count(_LOOKED) > looked)


async def nothing_is_reported(customer: Customer) -> None:
    """The provider's events are lost from now on."""
    await customer.environment.sandbox.deliver("drop")


def codes(payload: dict[str, Any]) -> list[str]:
    """The codes of what a payload says went wrong."""
    return [error["code"] for error in payload["userErrors"]]
