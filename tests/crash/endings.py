"""What must be true when a scenario has come to its end, wherever it was interrupted."""

from __future__ import annotations

from typing import Any, Final

from app.ledger.verify import verify
from tests.crash import steps
from tests.crash.customer import Customer
from tests.crash.steps import ASKING, FAILING, GOOD, KEY, LAST4, codes, holder_confirms, recharge

# what must be so for all customers together, so that nothing is done for another one unseen
_EVERYONE: Final = """
SELECT (SELECT count(*) FROM ledger_grants WHERE purchase_id IS NOT NULL) AS granted,
       count(*) FILTER (WHERE status IN ('SUCCEEDED', 'REFUNDED', 'DISPUTED')) AS bought,
       count(*) FILTER (WHERE status NOT IN ('SUCCEEDED', 'REFUNDED', 'DISPUTED', 'FAILED', 'EXPIRED')) AS unsettled
FROM credit_purchases
"""


async def bought_unless_struck_between_admission_and_payment(customer: Customer, point: str) -> None:
    """Bought, or not even charged where the process died after the payment was allowed and before it was sent."""
    unsent = point in ("recharge.admit:after-commit", "stripe.pay_invoice:before")
    await _bought(customer, None if unsent else GOOD)


async def bought_after_asking(customer: Customer, point: str) -> None:
    """The same, once the holder has confirmed."""
    unsent = point in ("recharge.admit:after-commit", "stripe.pay_invoice:before")
    if not unsent:
        await holder_confirms(customer)
        await customer.environment.everything_is_told()
    await _bought(customer, None if unsent else ASKING, asked_for=ASKING)


async def _bought(customer: Customer, charged: str | None, *, asked_for: str = GOOD) -> None:
    """One charge to the card, and the client who asks again is told so; or none, which the client is told as well."""
    payload = await recharge(customer, asked_for)
    charges = [each for each in await customer.listed("/v1/charges") if each["paid"]]
    if charged is None:
        assert codes(payload) == ["PAYMENT_DECLINED"]
        assert charges == []
    else:
        assert codes(payload) == []
        assert payload["purchase"]["status"] == "SUCCEEDED"
        assert [each["payment_method_details"]["card"]["last4"] for each in charges] == [LAST4[charged]]
        assert payload["creditBalance"]["available"] == payload["purchase"]["credits"]


async def bought(customer: Customer, point: str) -> None:
    """One charge, one grant."""
    await _bought(customer, GOOD)


async def bought_by_asking(customer: Customer, point: str) -> None:
    """One charge to the card that asked, one grant."""
    await _bought(customer, ASKING, asked_for=ASKING)


async def not_bought(customer: Customer, point: str) -> None:
    """No charge, and the client is told."""
    await _bought(customer, None)


async def declined(customer: Customer, point: str) -> None:
    """No charge, and the client is told."""
    await _bought(customer, None, asked_for=FAILING)


async def lapsed(customer: Customer, point: str) -> None:
    """No charge: the holder came too late."""
    await _bought(customer, None, asked_for=ASKING)
    assert [row["status"] for row in await customer.rows("status", "credit_purchases")] == ["EXPIRED"]


async def bought_later(customer: Customer, point: str) -> None:
    """Nothing was charged by what was left; the key is free, and asking again buys."""
    assert [each for each in await customer.listed("/v1/charges") if each["paid"]] == []
    assert codes(await recharge(customer, GOOD)) == []
    await customer.environment.everything_is_told()
    await _bought(customer, GOOD)


async def paid_on_one_page(customer: Customer, point: str) -> None:
    """One page at most is open; paid there, if nobody has, the credits come once."""
    if await steps.open_pages(customer):
        await steps.pays_on_the_page(customer)
        await customer.environment.everything_is_told()
    payload = await customer.recharge(KEY)
    assert codes(payload) == []
    assert payload["purchase"]["status"] == "SUCCEEDED"
    assert payload["creditBalance"]["available"] == payload["purchase"]["credits"]
    assert await steps.open_pages(customer) == []


async def page_closed(customer: Customer, point: str) -> None:
    """Nothing was paid, and nothing can be any more."""
    assert await steps.open_pages(customer) == []
    assert [row["status"] for row in await customer.rows("status", "credit_purchases")] == ["EXPIRED"]


async def taken_back(customer: Customer, point: str) -> None:
    """What was bought and given back is gone, in one movement."""
    rows = await _movements(customer)
    [bought, back] = rows
    assert (bought["kind"], back["kind"], back["amount"]) == ("PURCHASE", "CLAWBACK", -bought["amount"])
    assert back["balance_after"] == 0
    [purchase] = await customer.rows("status", "credit_purchases")
    assert purchase["status"] in ("REFUNDED", "DISPUTED")


async def card_is_saved_once(customer: Customer, point: str) -> None:
    """A card can be saved, one customer has it, and it is the default."""
    if not await customer.cards():
        await customer.confirm_card(await customer.begin_card(), GOOD)
        await customer.environment.everything_is_told()
    [card] = await customer.cards()
    assert (card["last4"], card["isDefault"]) == ("4242", True)
    assert len(await customer.listed("/v1/customers")) == 1


async def expired_once(customer: Customer, point: str) -> None:
    """The credits are gone, in one movement."""
    rows = await _movements(customer)
    assert [(row["kind"], row["amount"], row["balance_after"]) for row in rows] == [
        ("BONUS", 100, 100),
        ("EXPIRY", -100, 0),
    ]


async def _movements(customer: Customer) -> list[dict[str, Any]]:
    return await customer.rows("kind, amount, balance_after", "ledger_transactions", "ORDER BY sequence")


async def money_is_right(customer: Customer) -> None:
    """At most one charge, a grant for each, nothing left pending or open, and a sound ledger."""
    charges = [charge for charge in await customer.listed("/v1/charges") if charge["paid"]]
    invoices = [invoice["status"] for invoice in await customer.listed("/v1/invoices")]
    mirrored = await customer.rows("status", "invoices")
    purchases = [row["status"] for row in await customer.rows("status", "credit_purchases")]
    grants = await customer.rows("purchase_id", "ledger_grants", "AND purchase_id IS NOT NULL")

    bought = [status for status in purchases if status in ("SUCCEEDED", "REFUNDED", "DISPUTED")]
    assert len(charges) <= 1
    assert len(grants) == len(charges) == len(bought) == invoices.count("paid")
    assert set(purchases) - set(bought) <= {"FAILED", "EXPIRED"}
    assert set(invoices) <= {"paid", "void"}
    assert {row["status"] for row in mirrored} <= {"PAID", "VOID"}
    [everyone] = await customer.environment.rows(_EVERYONE)
    assert (everyone["granted"], everyone["unsettled"]) == (everyone["bought"], 0)
    async with customer.environment.database.read() as session:
        report = await verify(session)
    assert report.is_sound, str(report.fault)
