"""What is billed for a subscription: lines for its items, prorations that wait, and the drafts that take both."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

from sandbox.currencies import money
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.resources.discounts.discount_object import still_valid
from sandbox.resources.invoices.invoice_item_object import create_item, price_fields
from sandbox.resources.invoices.line_object import line_id_of, subscription_line
from sandbox.resources.invoices.subscription_drafts import create_subscription_draft
from sandbox.resources.subscriptions.periods import full_seconds, interval_of
from sandbox.resources.subscriptions.prorations import credit_for, nearest, new_debit, share_of_price, uncredited
from sandbox.resources.subscriptions.subscription_object import items_of, rates_of
from sandbox.store import Transaction


def period_of(item: Json) -> tuple[int, int]:
    """Return an item's current period."""
    return item["current_period_start"], item["current_period_end"]


def amount_from(item: Json, at: int, anchor: int) -> int:
    """Return what an item costs from `at` until its period ends."""
    start, end = period_of(item)
    full = full_seconds(start, end, interval_of(item["price"]), anchor)
    return share_of_price(item["price"], item["quantity"], end - at, full)


async def line_for(tx: Transaction, subscription: Json, item: Json, amount: int, *, trial: bool = False) -> Json:
    """Return the line that bills an item for its current period."""
    product = await _product_name(tx, item)
    start, end = period_of(item)
    if trial:
        description = f"Free trial for {item['quantity']} × {product}"
    else:
        recurring = item["price"]["recurring"]
        every = (
            recurring["interval"]
            if recurring["interval_count"] == 1
            else f"{recurring['interval_count']} {recurring['interval']}s"
        )
        unit = item["price"]["unit_amount"]
        at = f" (at {money(unit, item['price']['currency'])} / {every})" if unit is not None else ""
        description = f"{item['quantity']} × {product}{at}"
    return subscription_line(
        new_id("il"),
        item,
        amount,
        {"start": start, "end": end},
        description,
        rates=rates_of(subscription, item),
        metadata=subscription["metadata"],
    )


async def create_draft(
    tx: Transaction,
    subscription: Json,
    lines: list[Json],
    *,
    reason: str,
    period: tuple[int, int],
    auto_advance: bool = False,
    proration_date: int | None = None,
) -> Json:
    """Store a draft for the subscription and set it as its latest invoice; what its lines charge becomes the items' debits."""
    subscription["_discounts"] = still_valid(subscription["_discounts"], tx.now)
    draft = await create_subscription_draft(
        tx, subscription, lines, reason=reason, period=period, auto_advance=auto_advance, proration_date=proration_date
    )
    subscription["latest_invoice"] = draft["id"]
    by_item = {item["id"]: item for item in items_of(subscription)}
    for line in draft["lines"]["data"]:
        details = line["parent"]["subscription_item_details"]
        if details is None or details["proration"] or details["subscription_item"] not in by_item:
            continue
        item = by_item[details["subscription_item"]]
        charged = line["amount"] - sum(off["amount"] for off in line["discount_amounts"])
        debit = new_debit(charged, *period_of(item), rates_of(subscription, item), invoice=draft["id"], line=line["id"])
        item["_debits"] = [*item["_debits"], debit]
    _use_up_discounts(subscription, draft)
    return draft


async def credit_item(tx: Transaction, subscription: Json, item: Json, at: int) -> bool:
    """Let credits wait for what was charged for an item's time from `at` on; return whether there were any.

    Each charge is credited by itself, with the tax it had; what was never charged is not credited.
    """
    credited = False
    remaining: list[Json] = []
    for debit in item["_debits"]:
        if debit["end"] <= at:
            remaining.append(debit)
            continue
        amount = credit_for(debit, at)
        if debit["amount"]:
            period = {"start": max(at, debit["start"]), "end": debit["end"]}
            text = f"Unused time on {await _quantity_and_name(tx, item)} after {_day(period['start'])}"
            await _create_proration(tx, subscription, item, amount, period, text, debit)
            credited = True
        if at > debit["start"]:
            remaining.append(debit | {"amount": debit["amount"] + amount, "end": at})
    item["_debits"] = remaining
    return credited


async def debit_item(tx: Transaction, subscription: Json, item: Json, start: int, amount: int) -> None:
    """Let a charge wait for an item's time from `start` until its period ends; lasting percentages are taken off it here."""
    for discount in still_valid(subscription["_discounts"], tx.now):
        if discount["_percent"] is not None and discount["_duration"] != "once":
            amount = nearest(Fraction(amount) * (100 - Fraction(discount["_percent"])) / 100)
    end = item["current_period_end"]
    text = f"Remaining time on {await _quantity_and_name(tx, item)} after {_day(start)}"
    created = await _create_proration(tx, subscription, item, amount, {"start": start, "end": end}, text, None)
    debit = new_debit(
        amount, start, end, rates_of(subscription, item), line=line_id_of(created), invoice_item=created["id"]
    )
    item["_debits"] = [*item["_debits"], debit]


def has_uncredited(item: Json, at: int) -> bool:
    """Whether something was charged for an item's time after `at`."""
    return any(debit["amount"] for debit in uncredited(item["_debits"], at))


async def _create_proration(
    tx: Transaction, subscription: Json, item: Json, amount: int, period: Json, text: str, credited: Json | None
) -> Json:
    priced = price_fields(item["price"], item["quantity"])
    priced |= {"amount": amount, "pricing": {**priced["pricing"], "unit_amount_decimal": None}}
    fields: Json = {
        "discountable": False,
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription["id"], "subscription_item": item["id"]},
        },
        "proration": True,
        "proration_details": {"credited_items": await _credited_items(tx, credited), "discount_amounts": []},
        "_rates": rates_of(subscription, item) if credited is None else credited["rates"],
        "_tax_exempt": await _exemption_of(tx, credited),
    }
    params: Json = {"description": text, "period": period}
    return await create_item(tx, params, subscription["customer"], priced, None, fields)


async def _credited_items(tx: Transaction, debit: Json | None) -> Json | None:
    """Return which charge a credit undoes: a line of an invoice, or an item that was waiting when it was made."""
    if debit is None:
        return None
    invoice = debit["invoice"]
    if invoice is None:
        waited = await tx.find_including_deleted("invoiceitem", debit["invoice_item"])
        invoice = waited.get("invoice") if waited else None
    if invoice is None:
        return {"type": "invoice_item", "invoice_item": debit["invoice_item"], "invoice_line_item_details": None}
    lines = {"invoice": invoice, "invoice_line_items": [debit["line"]]}
    return {"type": "invoice_line_items", "invoice_item": None, "invoice_line_item_details": lines}


async def _exemption_of(tx: Transaction, debit: Json | None) -> str | None:
    """Return the exemption from tax that a charge was billed with; None if it was not billed yet."""
    credited = await _credited_items(tx, debit)
    if credited is None or credited["invoice_line_item_details"] is None:
        return None
    invoice = await tx.find_including_deleted("invoice", credited["invoice_line_item_details"]["invoice"])
    return invoice.get("customer_tax_exempt") if invoice else None


def _use_up_discounts(subscription: Json, draft: Json) -> None:
    """Take from the subscription the discounts that count once and have counted on this draft."""
    used = {entry["discount"] for entry in draft["total_discount_amounts"]}
    subscription["_discounts"] = [
        discount
        for discount in subscription["_discounts"]
        if not (discount["_duration"] == "once" and discount["id"] in used)
    ]
    subscription["discounts"] = [discount["id"] for discount in subscription["_discounts"]]


async def _product_name(tx: Transaction, item: Json) -> str:
    product = await tx.find_including_deleted("product", item["price"]["product"])
    return str((product or {}).get("name", item["price"]["product"]))


async def _quantity_and_name(tx: Transaction, item: Json) -> str:
    name = await _product_name(tx, item)
    return name if item["quantity"] == 1 else f"{item['quantity']} × {name}"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y")
