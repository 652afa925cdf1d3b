"""Changing a subscription's items, its anchor or its trial: what waits as prorations, and what is billed at once.

These functions change a subscription's document in place and do not store it; the prorations that they make are stored, as items
that wait for the next invoice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.objects import Json
from sandbox.resources.subscriptions.billing import amount_from, credit_item, debit_item, has_uncredited, line_for
from sandbox.resources.subscriptions.ends import cut_period
from sandbox.resources.subscriptions.periods import full_seconds, interval_of, natural_end, period_around, shifted
from sandbox.resources.subscriptions.prorations import share_of_price
from sandbox.resources.subscriptions.subscription_object import items_of
from sandbox.resources.subscriptions.trials import start_trial
from sandbox.store import Transaction


@dataclass
class Change:
    """What becomes of a subscription: its `items` from now on; `at` is the second from which on is prorated.

    `restart` begins a new period of all items at `at`, which becomes the anchor. `lines` are filled in: what is billed for whole
    periods that begin with the change.
    """

    items: list[Json]
    at: int
    prorate: bool
    restart: bool = False
    # whether the change is billed now, and the days that a restart adds need not wait
    at_once: bool = False
    lines: list[Json] = field(default_factory=list[Json])
    prorated: bool = False


async def apply_change(tx: Transaction, subscription: Json, change: Change) -> None:
    """Give a subscription the change's items."""
    old_items = {item["id"]: item for item in items_of(subscription)}
    kept = {item["id"] for item in change.items}
    on_trial = subscription["status"] == "trialing" and not change.restart
    for item in old_items.values():
        if item["id"] not in kept and change.prorate and not on_trial:
            change.prorated |= await credit_item(tx, subscription, item, change.at)
    subscription["items"]["data"] = change.items
    if change.restart:
        subscription["billing_cycle_anchor"] = change.at
    for item in change.items:
        old = old_items.get(item["id"])
        if on_trial:
            _join_trial(subscription, item)
        elif change.restart:
            await _restart_item(tx, subscription, item, old, change)
        elif old is None or _is_other(old, item):
            await _change_item(tx, subscription, item, old, change)


async def begin_trial(tx: Transaction, subscription: Json, end: int, *, prorate: bool) -> bool:
    """Let a running subscription be on trial until `end`; return whether credits for the time paid for wait now."""
    prorated = False
    for item in items_of(subscription):
        if prorate and subscription["status"] != "trialing":
            prorated |= await credit_item(tx, subscription, item, tx.now)
        item["_debits"] = []
    start_trial(subscription, end, tx.now)
    return prorated


async def end_periods_at(tx: Transaction, subscription: Json, cancel_at: int, *, prorate: bool) -> bool:
    """Cut the current periods where the subscription will end; return whether credits for what is cut off wait now."""
    prorated = False
    for item in items_of(subscription):
        if item["current_period_start"] < cancel_at < item["current_period_end"]:
            if prorate and subscription["status"] != "trialing":
                prorated |= await credit_item(tx, subscription, item, cancel_at)
            cut_period(item, cancel_at)
    return prorated


async def lengthen_periods(tx: Transaction, subscription: Json, cut_at: int, *, prorate: bool) -> bool:
    """Give back to the current periods what an end that was taken back had cut off; return whether charges for it wait now."""
    prorated = False
    anchor = subscription["billing_cycle_anchor"]
    for item in items_of(subscription):
        whole_end = natural_end(item["current_period_start"], interval_of(item["price"]), anchor)
        if item["current_period_end"] == cut_at < whole_end:
            item["current_period_end"] = whole_end
            if prorate and subscription["status"] != "trialing":
                await debit_item(tx, subscription, item, cut_at, amount_from(item, cut_at, anchor))
                prorated = True
    return prorated


def _is_other(old: Json, new: Json) -> bool:
    return old["price"]["id"] != new["price"]["id"] or old["quantity"] != new["quantity"]


def _join_trial(subscription: Json, item: Json) -> None:
    if item["current_period_end"] != subscription["trial_end"]:
        item |= {"current_period_start": item["created"], "current_period_end": subscription["trial_end"]}


async def _change_item(tx: Transaction, subscription: Json, item: Json, old: Json | None, change: Change) -> None:
    """Prorate a changed or an added item, whose period stays; another interval counts from the start of the period."""
    if old is not None and change.prorate:
        change.prorated |= await credit_item(tx, subscription, old, change.at)
        item["_debits"] = old["_debits"]
    anchor = subscription["billing_cycle_anchor"]
    if old is None:
        _place_added(subscription, item, change.at)
    elif interval_of(old["price"]) != interval_of(item["price"]):
        start, end = period_around(change.at, old["current_period_start"], interval_of(item["price"]), anchor)
        item |= {"current_period_start": start, "current_period_end": end}
        cut_period(item, subscription["cancel_at"])
    # a period that ends just now is billed by its renewal, which follows
    if change.prorate and item["current_period_end"] > change.at:
        await debit_item(tx, subscription, item, change.at, amount_from(item, change.at, anchor))
        change.prorated = True


def _place_added(subscription: Json, item: Json, at: int) -> None:
    """Give an added item the period of those that are there; with an interval of its own, one from the same start.

    A period that ends just now is its own too: then the renewal that follows bills it with the others.
    """
    anchor, every = subscription["billing_cycle_anchor"], interval_of(item["price"])
    present = [other for other in items_of(subscription) if other is not item]
    others = [other for other in present if other["current_period_end"] > at]
    ending = [other for other in present if other["current_period_start"] < at == other["current_period_end"]]
    alike = [other for other in others or ending if interval_of(other["price"]) == every]
    if alike:
        start, end = alike[0]["current_period_start"], alike[0]["current_period_end"]
    else:
        first = min((other["current_period_start"] for other in others), default=at)
        start, end = period_around(at, first, every, anchor)
    item |= {"current_period_start": start, "current_period_end": end}
    cut_period(item, subscription["cancel_at"])


async def _restart_item(tx: Transaction, subscription: Json, item: Json, old: Json | None, change: Change) -> None:
    """Begin a new period now: what was paid for the old one is credited, the new one is billed in full.

    An unchanged item whose change waits for the next invoice is charged only for the days that its new period adds.
    """
    every = interval_of(item["price"])
    new_end = shifted(change.at, every, change.at)
    waits = change.prorate and not change.at_once
    if waits and old is not None and not _is_other(old, item) and has_uncredited(old, change.at):
        old_end = old["current_period_end"]
        item |= {"current_period_start": change.at, "current_period_end": new_end}
        if new_end > old_end:
            full = full_seconds(change.at, new_end, every, change.at)
            added = share_of_price(item["price"], item["quantity"], new_end - old_end, full)
            await debit_item(tx, subscription, item, old_end, added)
            change.prorated = True
        return
    if old is not None and change.prorate:
        change.prorated |= await credit_item(tx, subscription, old, change.at)
    item |= {"current_period_start": change.at, "current_period_end": new_end, "_debits": []}
    cut_period(item, subscription["cancel_at"])
    amount = amount_from(item, change.at, change.at)
    if waits:
        await debit_item(tx, subscription, item, change.at, amount)
        change.prorated = True
    else:
        change.lines.append(await line_for(tx, subscription, item, amount))
