"""Invoices whose results Stripe's documentation works out, or that its API was recorded to answer."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.sandbox.factories import new_customer

WORKED: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("worked_invoices.toml").read_text())["invoice"]


async def finalized(client: stripe.StripeClient, worked: dict[str, Any]) -> stripe.Invoice:
    """Return the invoice that the entry describes."""
    given = {name: worked[name] for name in ("tax_exempt", "balance") if name in worked}
    customer = await new_customer(client, **given)
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "usd"})
    for line in worked["lines"]:
        forms: list[Any] = [{"display_name": "Tax", **rate} for rate in line.get("taxes", [])]
        rates = [await client.v1.tax_rates.create_async(form) for form in forms]
        await client.v1.invoice_items.create_async(
            {
                "customer": customer.id,
                "invoice": draft.id,
                "amount": line["amount"],
                "tax_rates": [rate.id for rate in rates],
            }
        )
    return await client.v1.invoices.finalize_invoice_async(draft.id)


@pytest.mark.parametrize("worked", WORKED, ids=lambda worked: worked["name"])
async def test_an_invoice_comes_out_as_at_stripe(client: stripe.StripeClient, worked: dict[str, Any]) -> None:
    invoice = await finalized(client, worked)
    shown: dict[str, Any] = {**invoice.to_dict(), "tax": sum(tax.amount for tax in invoice.total_taxes or ())}
    assert {name: shown[name] for name in worked["expect"]} == worked["expect"]
    lines = [{"amount": line.amount, "tax": sum(tax.amount for tax in line.taxes or ())} for line in invoice.lines.data]
    for line, expected in zip(lines, worked["lines"], strict=True):
        assert {name: line[name] for name in line if name in expected} == {
            name: expected[name] for name in line if name in expected
        }
