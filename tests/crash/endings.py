"""What must be true when a scenario has come to its end, wherever it was interrupted."""

from __future__ import annotations

from app.ledger.verify import verify
from tests.crash import steps
from tests.crash.steps import ASKING, FAILING, GOOD, KEY, LAST4, codes, holder_confirms, recharge
from tests.crash.world import World


async def bought_unless_struck_between_admission_and_payment(world: World, point: str) -> None:
    """Bought, or not even charged where the process died after the payment was allowed and before it was sent."""
    unsent = point in ("recharge.admit:after-commit", "stripe.pay_invoice:before")
    await _bought(world, None if unsent else GOOD)


async def bought_after_asking(world: World, point: str) -> None:
    """The same, once the holder has confirmed."""
    unsent = point in ("recharge.admit:after-commit", "stripe.pay_invoice:before")
    if not unsent:
        await holder_confirms(world)
        await world.everything_is_told()
    await _bought(world, None if unsent else ASKING, asked_for=ASKING)


async def _bought(world: World, charged: str | None, *, asked_for: str = GOOD) -> None:
    """One charge to the card, and the client who asks again is told so; or none, which the client is told as well."""
    payload = await recharge(world, asked_for)
    charges = [each for each in await world.listed("/v1/charges") if each["paid"]]
    if charged is None:
        assert codes(payload) == ["PAYMENT_DECLINED"]
        assert charges == []
    else:
        assert codes(payload) == []
        assert payload["purchase"]["status"] == "SUCCEEDED"
        assert [each["payment_method_details"]["card"]["last4"] for each in charges] == [LAST4[charged]]
        assert payload["creditBalance"]["available"] == payload["purchase"]["credits"]


async def bought(world: World, point: str) -> None:
    """One charge, one grant."""
    await _bought(world, GOOD)


async def bought_by_asking(world: World, point: str) -> None:
    """One charge to the card that asked, one grant."""
    await _bought(world, ASKING, asked_for=ASKING)


async def not_bought(world: World, point: str) -> None:
    """No charge, and the client is told."""
    await _bought(world, None)


async def declined(world: World, point: str) -> None:
    """No charge, and the client is told."""
    await _bought(world, None, asked_for=FAILING)


async def lapsed(world: World, point: str) -> None:
    """No charge: the holder came too late."""
    await _bought(world, None, asked_for=ASKING)
    assert [row["status"] for row in await world.rows("SELECT status FROM credit_purchases")] == ["EXPIRED"]


async def bought_later(world: World, point: str) -> None:
    """Nothing was charged by what was left; the key is free, and asking again buys."""
    assert [each for each in await world.listed("/v1/charges") if each["paid"]] == []
    assert codes(await recharge(world, GOOD)) == []
    await world.everything_is_told()
    await _bought(world, GOOD)


async def paid_on_one_page(world: World, point: str) -> None:
    """One page at most is open; paid there, if nobody has, the credits come once."""
    if await steps.open_pages(world):
        await steps.pays_on_the_page(world)
        await world.everything_is_told()
    payload = await world.recharge(KEY)
    assert codes(payload) == []
    assert payload["purchase"]["status"] == "SUCCEEDED"
    assert payload["creditBalance"]["available"] == payload["purchase"]["credits"]
    assert await steps.open_pages(world) == []


async def page_closed(world: World, point: str) -> None:
    """Nothing was paid, and nothing can be any more."""
    assert await steps.open_pages(world) == []
    assert [row["status"] for row in await world.rows("SELECT status FROM credit_purchases")] == ["EXPIRED"]


async def taken_back(world: World, point: str) -> None:
    """What was bought and given back is gone, in one movement."""
    rows = await world.rows("SELECT kind, amount, balance_after FROM ledger_transactions ORDER BY sequence")
    [bought, back] = rows
    assert (bought["kind"], back["kind"], back["amount"]) == ("PURCHASE", "CLAWBACK", -bought["amount"])
    assert back["balance_after"] == 0
    [purchase] = await world.rows("SELECT status FROM credit_purchases")
    assert purchase["status"] in ("REFUNDED", "DISPUTED")


async def card_is_saved_once(world: World, point: str) -> None:
    """A card can be saved, one customer has it, and it is the default."""
    if not await world.cards():
        await world.confirm_card(await world.begin_card(), GOOD)
        await world.everything_is_told()
    [card] = await world.cards()
    assert (card["last4"], card["isDefault"]) == ("4242", True)
    assert len(await world.listed("/v1/customers")) == 1


async def expired_once(world: World, point: str) -> None:
    """The credits are gone, in one movement."""
    rows = await world.rows("SELECT kind, amount, balance_after FROM ledger_transactions ORDER BY sequence")
    assert [(row["kind"], row["amount"], row["balance_after"]) for row in rows] == [
        ("BONUS", 100, 100),
        ("EXPIRY", -100, 0),
    ]


async def money_is_right(world: World) -> None:
    """At most one charge, a grant for each, nothing left pending or open, and a sound ledger."""
    charges = [charge for charge in await world.listed("/v1/charges") if charge["paid"]]
    invoices = [invoice["status"] for invoice in await world.listed("/v1/invoices")]
    mirrored = await world.rows("SELECT status FROM invoices")
    purchases = [row["status"] for row in await world.rows("SELECT status FROM credit_purchases")]
    grants = await world.rows("SELECT purchase_id FROM ledger_grants WHERE purchase_id IS NOT NULL")

    bought = [status for status in purchases if status in ("SUCCEEDED", "REFUNDED", "DISPUTED")]
    assert len(charges) <= 1
    assert len(grants) == len(charges) == len(bought) == invoices.count("paid")
    assert set(purchases) - set(bought) <= {"FAILED", "EXPIRED"}
    assert set(invoices) <= {"paid", "void"}
    assert {row["status"] for row in mirrored} <= {"PAID", "VOID"}
    async with world.database.read() as session:
        report = await verify(session)
    assert report.is_sound, str(report.fault)
