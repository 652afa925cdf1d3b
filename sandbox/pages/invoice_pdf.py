"""An invoice as a PDF."""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import wrap

from fpdf import FPDF

from sandbox.pages.invoice_texts import InvoiceTexts

_LABEL_CHARACTERS = 70


def invoice_pdf(texts: InvoiceTexts) -> bytes:
    """Return a PDF of a finalized invoice: its number, day, seller, buyer, lines, taxes and sums, as text."""
    pdf = FPDF()
    pdf.set_creation_date(datetime.fromisoformat(texts.day).replace(tzinfo=UTC))
    pdf.add_page()
    pdf.set_font("helvetica", "B", 18)
    _paragraph(pdf, f"Invoice {texts.number}", 12)
    pdf.set_font("helvetica", "", 11)
    for text in (texts.day, *texts.seller, "", "Bill to", *texts.buyer):
        _paragraph(pdf, text, 6)
    pdf.ln(6)
    for line in texts.lines:
        period = f", {line.period}" if line.period else ""
        _row(pdf, f"{line.description}{period}  x {line.quantity}", line.amount)
    pdf.ln(3)
    for name, amount in texts.sums:
        _row(pdf, name, amount)
    return bytes(pdf.output())


def _paragraph(pdf: FPDF, text: str, height: float) -> None:
    for part in wrap(text, _LABEL_CHARACTERS) or [""]:
        pdf.cell(0, height, _latin(part), new_x="LMARGIN", new_y="NEXT")


def _row(pdf: FPDF, label: str, amount: str) -> None:
    *parts, last = wrap(label, _LABEL_CHARACTERS)
    for part in parts:
        _paragraph(pdf, part, 7)
    pdf.cell(140, 7, _latin(last))
    pdf.cell(0, 7, _latin(amount), align="R", new_x="LMARGIN", new_y="NEXT")


def _latin(text: str) -> str:
    """Return the text with `?` for the characters that the PDF's built-in font does not have."""
    return text.encode("latin-1", "replace").decode("latin-1")
