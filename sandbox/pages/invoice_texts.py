"""What an invoice says, on its page and in its PDF: who sells, who buys, what, and the sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.currencies import money
from sandbox.objects import Json
from sandbox.store import Transaction

_ADDRESS = ("line1", "line2", "postal_code", "city", "state", "country")


@dataclass(frozen=True)
class LineText:
    """A line: what it is, for which time, how many, and its amount."""

    description: str
    period: str | None
    quantity: str
    amount: str


@dataclass(frozen=True)
class InvoiceTexts:
    """The texts of an invoice; `sums` are pairs of a name and an amount, in the order in which they are shown."""

    number: str
    day: str
    seller: list[str]
    buyer: list[str]
    lines: list[LineText]
    sums: list[tuple[str, str]]


async def invoice_texts(tx: Transaction, invoice: Json) -> InvoiceTexts:
    """Return what a finalized invoice says."""
    return InvoiceTexts(
        number=invoice["number"],
        day=_day(invoice["effective_at"]),
        seller=[invoice["account_name"], invoice["account_country"]],
        buyer=_buyer(invoice),
        lines=[_line(line, invoice["currency"]) for line in invoice["lines"]["data"]],
        sums=[(name, money(amount, invoice["currency"])) for name, amount in await _sums(tx, invoice)],
    )


def _buyer(invoice: Json) -> list[str]:
    address: Json = invoice["customer_address"] or {}
    where = ", ".join(address[name] for name in _ADDRESS if address.get(name))
    tax_ids = [f"{tax_id['type']} {tax_id['value']}" for tax_id in invoice["customer_tax_ids"]]
    return [text for text in (invoice["customer_name"], invoice["customer_email"], where, *tax_ids) if text]


def _line(line: Json, currency: str) -> LineText:
    start, end = line["period"]["start"], line["period"]["end"]
    return LineText(
        description=line["description"] or "Item",
        period=f"{_day(start)} to {_day(end)}" if start != end else None,
        quantity=str(line["quantity"]),
        amount=money(line["amount"], currency),
    )


async def _sums(tx: Transaction, invoice: Json) -> list[tuple[str, int]]:
    off = sum(entry["amount"] for entry in invoice["total_discount_amounts"])
    applied = (invoice["ending_balance"] or 0) - invoice["starting_balance"]
    return [
        ("Subtotal", invoice["subtotal"]),
        *([("Discount", -off)] if off else []),
        *[(await _tax_name(tx, tax), tax["amount"]) for tax in invoice["total_taxes"]],
        ("Total", invoice["total"]),
        *([("Applied balance", -applied)] if applied else []),
        ("Amount due", invoice["amount_due"]),
        ("Amount paid", invoice["amount_paid"]),
    ]


async def _tax_name(tx: Transaction, tax: Json) -> str:
    rate = await tx.get("tax_rate", tax["tax_rate_details"]["tax_rate"])
    return f"{rate['display_name']} {rate['percentage']:g}% ({tax['tax_behavior']})"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
