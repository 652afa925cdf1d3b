"""The preview of what recurs: each item of a subscription for a full period, and nothing that is billed only once."""

from __future__ import annotations

from sandbox.objects import Json
from sandbox.resources.invoices.subscription_drafts import waiting_items
from sandbox.resources.subscriptions.billing import create_draft, line_for
from sandbox.resources.subscriptions.periods import interval_of, shifted
from sandbox.resources.subscriptions.prorations import share_of_price
from sandbox.resources.subscriptions.subscription_object import items_of
from sandbox.store import Transaction


async def recurring_draft(tx: Transaction, subscription: Json) -> Json:
    """Return the draft that bills each item for the full period after its present one; the caller takes it back.

    Prorations, items that wait, a trial and discounts that count once are not in it: they do not recur.
    """
    for item in await waiting_items(tx, subscription):
        await tx.delete(item)
    lasting = [discount for discount in subscription["_discounts"] if discount["_duration"] != "once"]
    subscription |= {"_discounts": lasting, "status": "active"}
    lines: list[Json] = []
    anchor = subscription["billing_cycle_anchor"]
    start = min(item["current_period_start"] for item in items_of(subscription))
    end = min(item["current_period_end"] for item in items_of(subscription))
    for item in items_of(subscription):
        item |= {
            "current_period_start": item["current_period_end"],
            "current_period_end": shifted(item["current_period_end"], interval_of(item["price"]), anchor),
        }
        full = share_of_price(item["price"], item["quantity"], 1, 1)
        lines.append(await line_for(tx, subscription, item, full))
    tx.now = max(tx.now, end)
    return await create_draft(
        tx, subscription, lines, reason="subscription_cycle", period=(start, end), auto_advance=True
    )
