"""The hosted invoice page, and its PDF."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.objects import Json
from sandbox.pages.invoice_pdf import invoice_pdf
from sandbox.pages.invoice_texts import InvoiceTexts, invoice_texts
from sandbox.pages.layout import button, page, page_route, paragraph
from sandbox.pages.secret_urls import get_by_secret
from sandbox.resources.invoices.paying import PAYABLE, pay_invoice
from sandbox.store import Store


class InvoicePages:
    """GET and POST /invoices/{id}/{secret}, GET …/pdf."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the pages' routes."""
        path = "/invoices/{id}/{secret}"
        return [
            page_route("GET", path, self.show),
            page_route("POST", path, self.pay),
            page_route("GET", f"{path}/pdf", self.pdf),
        ]

    async def show(self, request: Request) -> Response:
        """Show an invoice, with a button to pay an open one."""
        async with self._store.read() as tx:
            invoice = await get_by_secret(tx, request, "invoice", "_secret")
            return _invoice_page(invoice, await invoice_texts(tx, invoice))

    async def pay(self, request: Request) -> Response:
        """Pay with the customer's default card; redirect to the bank if it requires authentication."""
        async with self._store.write() as tx:
            invoice = await get_by_secret(tx, request, "invoice", "_secret")
            if invoice["status"] not in PAYABLE:
                problem = f"This invoice can't be paid: its status is {invoice['status']}."
                return _invoice_page(invoice, await invoice_texts(tx, invoice), problem)
            error = await pay_invoice(tx, invoice, None, off_session=False)
            texts = await invoice_texts(tx, invoice)
        intent = error.error.get("payment_intent") if error else None
        if intent and intent["next_action"]:
            return RedirectResponse(intent["next_action"]["redirect_to_url"]["url"], 303)
        return _invoice_page(invoice, texts, str(error) if error else None)

    async def pdf(self, request: Request) -> Response:
        """Answer the invoice as a PDF."""
        async with self._store.read() as tx:
            invoice = await get_by_secret(tx, request, "invoice", "_secret")
            texts = await invoice_texts(tx, invoice)
        headers = {"Content-Disposition": f'attachment; filename="Invoice-{texts.number}.pdf"'}
        return Response(invoice_pdf(texts), headers=headers, media_type="application/pdf")


def _invoice_page(invoice: Json, texts: InvoiceTexts, problem: str | None = None) -> Response:
    rows = "".join(
        f"<tr><td>{escape(line.description)}{f'<br>{line.period}' if line.period else ''}</td><td>{line.quantity}</td>"
        f'<td class="amount">{escape(line.amount)}</td></tr>'
        for line in texts.lines
    )
    sums = "".join(
        f'<tr><th colspan="2">{escape(name)}</th><td class="amount">{escape(amount)}</td></tr>'
        for name, amount in texts.sums
    )
    pay = f'<form method="post">{button("pay", "1", "Pay with the card on file", primary=True)}</form>'
    return page(
        f"Invoice {texts.number}",
        (paragraph(problem, "error") if problem else "")
        + paragraph(" · ".join((texts.day, *texts.seller)))
        + paragraph(" · ".join(("Bill to", *texts.buyer)))
        + f'<table><tr><th>Item</th><th>Quantity</th><th class="amount">Amount</th></tr>{rows}{sums}</table>'
        + paragraph(f"Status: {invoice['status']}")
        + (pay if invoice["status"] in PAYABLE else "")
        + f'<p><a href="{escape(invoice["invoice_pdf"])}">Download as PDF</a></p>',
    )
