"""What leads up to a crash, and who does what: steps that scenarios are put together from."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any, Final

from app.db.engine import Session
from app.db.unit_of_work import transact
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant
from app.ledger.post_movements import post_one
from tests.crash.world import Prepare, World
from tests.support.client import eventually

KEY: Final = "the first recharge"
GOOD, FAILING, ASKING = "pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"
LAST4: Final = {GOOD: "4242", FAILING: "0341", ASKING: "3184"}


async def somebody_with_three_cards(world: World) -> None:
    """A verified phone where one is asked for; a card that pays (the default), one that is declined, one that asks its holder."""
    if world.catalog == "compute":
        await world.verify_phone()
    for card in (GOOD, FAILING, ASKING):
        await world.confirm_card(await world.begin_card(), card)
        await world.everything_is_told()
    await world.sandbox.deliver("hold")


async def somebody_without_cards(world: World) -> None:
    """A verified phone where one is asked for, and nothing at the provider yet."""
    if world.catalog == "compute":
        await world.verify_phone()


@functools.cache
def recharging(card: str) -> Prepare:
    """The customer recharges with a card, and asks again while told that the payment is unavailable."""

    async def act(world: World) -> None:
        payload = await recharge(world, card)
        while codes(payload) == ["PAYMENT_UNAVAILABLE"]:
            payload = await recharge(world, card)

    return act


async def recharge(world: World, card: str) -> dict[str, Any]:
    """The payload of a recharge with a card under the one key."""
    [named] = [each["id"] for each in await world.cards() if each["last4"] == LAST4[card]]
    return await world.recharge(KEY, paymentMethodId=named)


async def holder_confirms(world: World) -> None:
    """The holder of the card that asks tells the bank yes, if the bank wants to know."""
    [error] = (await recharge(world, ASKING))["userErrors"]
    if error["code"] == "PAYMENT_ACTION_REQUIRED":
        await world.sandbox.answer_the_bank(error["hostedUrl"], "complete")


async def checks_out(world: World) -> None:
    """The customer without a card asks for a page to pay on, and again while told that there can't be one now."""
    while codes(await world.recharge(KEY)) == ["PAYMENT_UNAVAILABLE"]:
        pass


async def pays_on_the_page(world: World) -> None:
    """The customer pays on the page that is open."""
    [page] = await open_pages(world)
    answer = await world.api.http.post(page["url"], data={"card": GOOD})
    assert answer.status_code == 303, answer.text


async def open_pages(world: World) -> list[dict[str, Any]]:
    """The pages on which the customer could pay."""
    pages = await world.listed("/v1/checkout/sessions")
    return [page for page in pages if page["mode"] == "payment" and page["status"] == "open"]


async def is_refunded(world: World) -> None:
    """The seller gives everything back at the provider, unless that was done."""
    charge = await _charge(world)
    if not charge["refunded"]:
        await world.sandbox.post("/v1/refunds", charge=charge["id"])


async def is_disputed(world: World) -> None:
    """The cardholder disputes the charge, unless that was done."""
    charge = await _charge(world)
    if not charge["disputed"]:
        order = {"charge": charge["id"]}
        (await world.api.http.post(f"{world.sandbox.url}/_sandbox/disputes", json=order)).raise_for_status()


async def _charge(world: World) -> dict[str, Any]:
    [charge] = [each for each in await world.listed("/v1/charges") if each["paid"]]
    return charge


async def everything_is_told(world: World) -> None:
    """What happened so far is told, and what happens from now on will be."""
    await world.everything_is_told()


async def reports_are_held(world: World) -> None:
    """The provider's events are kept back from now on."""
    await world.sandbox.deliver("hold")


async def a_card_is_confirmed(world: World) -> None:
    """A card is saved with the provider, which has not reported it."""
    await world.sandbox.deliver("hold")
    await world.confirm_card(await world.begin_card(), GOOD)


async def provider_reports(world: World) -> None:
    """Everything that happened at the provider is reported."""
    await world.sandbox.deliver("normal")
    await world.sandbox.flush()


async def a_card_is_begun(world: World) -> None:
    """The customer begins to save a card."""
    await world.begin_card()


async def two_minutes_pass(world: World) -> None:
    """Longer than a purchase is left alone."""
    await world.advance("PT2M")


async def half_an_hour_passes(world: World) -> None:
    """Longer than a payment waits for its holder."""
    await world.advance("PT31M")


def killed_at(point: str, act: Prepare) -> Prepare:
    """The server was killed at a point before, and what it was doing has been left as it was then."""

    async def prepare(world: World) -> None:
        await world.stop()
        await world.start(strike_at=point)
        await world.attempt(act)
        await world.was_struck()

    return prepare


async def credits_expire_while_nothing_runs(world: World) -> None:
    """Credits that expire in an hour, and a server that is next started after that."""
    grant = Grant(
        workspace_id=world.person.workspace_id,
        amount=100,
        source=Source.PROMOTION,
        description="A promotion",
        expires_at=world.database.clock.now() + timedelta(hours=1),
    )

    async def work(session: Session) -> None:
        await post_one(session, grant)

    await transact(world.database, work)
    await world.stop()
    async with world.database.raw() as connection:
        await connection.execute("INSERT INTO clock_offset (id, ahead) VALUES (1, INTERVAL '2 hours')")


async def a_second_passes(world: World) -> None:
    """What is due is done by itself, within a second."""
    before = world.points().count("credits.due:after-commit")

    async def looked_again() -> bool:
        return await world.has_ended() or world.points().count("credits.due:after-commit") > before

    await eventually(looked_again)


async def nothing_is_reported(world: World) -> None:
    """The provider's events are lost from now on."""
    await world.sandbox.deliver("drop")


def codes(payload: dict[str, Any]) -> list[str]:
    """The codes of what a payload says went wrong."""
    return [error["code"] for error in payload["userErrors"]]
