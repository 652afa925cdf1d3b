"""Drafts that bill a subscription: lines for its items, and whatever waited for its next invoice."""

from __future__ import annotations

from sandbox.events import emit
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.resources.invoices.drafts import AUTO_ADVANCE_SECONDS, compute_draft
from sandbox.resources.invoices.invoice_object import new_invoice
from sandbox.store import Transaction


async def create_subscription_draft(
    tx: Transaction,
    subscription: Json,
    lines: list[Json],
    *,
    reason: str,
    period: tuple[int, int],
    auto_advance: bool = False,
    proration_date: int | None = None,
) -> Json:
    """Store a draft with the lines given (`subscription_line`) and all items that wait for the subscription.

    `reason` is its `billing_reason`, `period` the time in which items could join it. With `auto_advance` it is finalized and
    charged by itself an hour later.
    """
    customer = await tx.get("customer", subscription["customer"])
    invoice = new_invoice(new_id("in"), customer, subscription["currency"], tx.now)
    finalizes_at = tx.now + AUTO_ADVANCE_SECONDS if auto_advance else None
    invoice |= {
        "auto_advance": auto_advance,
        "automatically_finalizes_at": finalizes_at,
        "billing_reason": reason,
        "description": subscription["description"],
        "next_payment_attempt": finalizes_at,
        "parent": {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {
                "metadata": subscription["metadata"],
                "subscription": subscription["id"],
                "subscription_proration_date": proration_date,
            },
        },
        "period_start": period[0],
        "period_end": period[1],
        "_default_tax_rates": [rate["id"] for rate in subscription["default_tax_rates"]],
        "_discounts": subscription["_discounts"],
        "_subscription_lines": lines,
    }
    await tx.insert(invoice)
    for item in await waiting_items(tx, subscription):
        await tx.save(item | {"invoice": invoice["id"], "_waited": True})
    await compute_draft(tx, invoice)
    await emit(tx, "invoice.created", invoice)
    return invoice


async def waiting_items(tx: Transaction, subscription: Json) -> list[Json]:
    """Return the items that the subscription's next invoice takes: its own, and the customer's that belong to none."""
    match = {"customer": subscription["customer"], "invoice": None, "currency": subscription["currency"]}
    found = await tx.find_all("invoiceitem", match)
    return [item for item in found if _subscription_of(item) in (None, subscription["id"])]


async def own_waiting_items(tx: Transaction, subscription: Json) -> list[Json]:
    """Return the items that wait for the subscription's next invoice and were made for it."""
    return [item for item in await waiting_items(tx, subscription) if _subscription_of(item) == subscription["id"]]


def _subscription_of(item: Json) -> str | None:
    return item["parent"]["subscription_details"]["subscription"] if item["parent"] else None
