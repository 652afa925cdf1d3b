"""An invoice as a PDF."""

from __future__ import annotations

from datetime import UTC, datetime

from fpdf import FPDF

from sandbox.currencies import money
from sandbox.objects import Json


def invoice_pdf(invoice: Json) -> bytes:
    """Return a one-page PDF of a finalized invoice: its number, date, customer, lines, taxes and sums."""
    currency = invoice["currency"]
    pdf = FPDF()
    pdf.set_creation_date(datetime.fromtimestamp(invoice["effective_at"], UTC))
    pdf.add_page()
    pdf.set_font("helvetica", "B", 18)
    pdf.cell(0, 12, _latin(f"Invoice {invoice['number']}"), new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("helvetica", "", 11)
    at = datetime.fromtimestamp(invoice["effective_at"], UTC).date().isoformat()
    for text in (at, invoice["account_name"], invoice["customer_name"], invoice["customer_email"]):
        if text:
            pdf.cell(0, 6, _latin(text), new_x="LMARGIN", new_y="NEXT")
    pdf.ln(6)
    for line in invoice["lines"]["data"]:
        label = f"{line['description'] or 'Item'}  x {line['quantity']}"
        _row(pdf, label, money(line["amount"], currency))
    pdf.ln(3)
    for tax in invoice["total_taxes"]:
        _row(pdf, f"Tax ({tax['tax_behavior']})", money(tax["amount"], currency))
    for name in ("total", "amount_due", "amount_paid"):
        _row(pdf, name.replace("_", " ").capitalize(), money(invoice[name], currency))
    return bytes(pdf.output())


def _row(pdf: FPDF, label: str, amount: str) -> None:
    pdf.cell(140, 7, _latin(label[:80]))
    pdf.cell(0, 7, _latin(amount), align="R", new_x="LMARGIN", new_y="NEXT")


def _latin(text: str) -> str:
    """Return the text with `?` for the characters that the PDF's built-in font does not have."""
    return text.encode("latin-1", "replace").decode("latin-1")
