"""The lines of an invoice: of its items, and of the subscription's items that it bills for a period."""

from __future__ import annotations

from sandbox.objects import Json
from sandbox.resources.invoices.invoice_object import subscription_of


def lines_before_tax(invoice: Json, items: list[Json]) -> list[Json]:
    """Return the lines without discounts and taxes, in Stripe's order.

    What waited for the subscription's next invoice comes first, the newest first; then the subscription's items, the newest
    first; then what was added to the draft. `_rates` of a line are the tax rates of its own, None for the invoice's;
    `_tax_exempt` is the exemption that counts for it, None for the customer's; `_made` orders the lines by when what they bill
    was made.
    """
    waited = [item for item in items if subscription_of(invoice) is not None and item.get("_waited")]
    added = [item for item in items if item not in waited]
    newest_first = [
        *(_line_of_item(item, invoice["id"]) for item in reversed(waited)),
        *({**line, "invoice": invoice["id"]} for line in reversed(invoice["_subscription_lines"])),
    ]
    oldest_first = [_line_of_item(item, invoice["id"]) for item in added]
    return [
        *({**line, "_made": -place} for place, line in enumerate(newest_first)),
        *({**line, "_made": place} for place, line in enumerate(oldest_first, 1)),
    ]


def subscription_line(
    line_id: str, item: Json, amount: int, period: Json, description: str, *, rates: list[str], metadata: Json
) -> Json:
    """Return the line, without discounts and taxes, that bills a subscription's item for a period in full.

    `metadata` is that of the subscription.
    """
    price = item["price"]
    return {
        **_empty_line(),
        "id": line_id,
        "amount": amount,
        "currency": price["currency"],
        "description": description,
        "discountable": True,
        "metadata": metadata,
        "parent": {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
        },
        "period": period,
        "pricing": {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
        "subscription": item["subscription"],
        "_rates": rates,
        "_tax_exempt": None,
    }


def line_id_of(item: Json) -> str:
    """Return the identifier of the line that bills an invoice item, which is always the same for the same item."""
    return item["id"].replace("ii_", "il_", 1)


def _line_of_item(item: Json, invoice_id: str) -> Json:
    return {
        **_empty_line(),
        "id": line_id_of(item),
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discountable": item["discountable"],
        "invoice": invoice_id,
        "metadata": item["metadata"],
        "parent": _parent(item),
        "period": item["period"],
        "pricing": item["pricing"],
        "quantity": item["quantity"],
        "quantity_decimal": item["quantity_decimal"],
        "subscription": _subscription_of(item),
        "_rates": item["tax_rates"] or item.get("_rates"),
        "_tax_exempt": item.get("_tax_exempt"),
        "_discounts": item.get("_discounts", []),
    }


def _subscription_of(item: Json) -> str | None:
    return item["parent"]["subscription_details"]["subscription"] if item["parent"] else None


def _parent(item: Json) -> Json:
    proration: Json = item.get("proration_details") or {}
    credited: Json | None = proration.get("credited_items")
    details: Json = {
        "invoice_item": item["id"],
        "proration": item["proration"],
        "proration_details": {"credited_items": credited.get("invoice_line_item_details") if credited else None},
        "subscription": _subscription_of(item),
    }
    subscription_item = item["parent"]["subscription_details"]["subscription_item"] if item["parent"] else None
    if subscription_item is None:
        return {
            "type": "invoice_item_details",
            "invoice_item_details": details,
            "subscription_item_details": None,
        }
    return {
        "type": "subscription_item_details",
        "invoice_item_details": None,
        "subscription_item_details": details | {"subscription_item": subscription_item},
    }


def _empty_line() -> Json:
    """Return the fields of a line that are empty at first, or always in the sandbox."""
    return {
        "object": "line_item",
        "discount_amounts": [],
        "discounts": [],
        "livemode": False,
        "pretax_credit_amounts": [],
        "taxes": [],
        "_discounts": [],
    }
