"""The hosted invoice page, its PDF, and receipts."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from html import escape

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.errors import Json, StripeError, missing
from sandbox.pages.invoice_pdf import invoice_pdf
from sandbox.pages.layout import button, money, page, paragraph
from sandbox.resources.invoices import paying as invoice_payment
from sandbox.store import Store, Transaction


class InvoicePages:
    """GET and POST /invoices/{id}/{secret}, GET …/pdf, GET /receipts/{charge}/{secret}."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the pages' routes."""
        path = "/invoices/{id}/{secret}"
        return [
            Route(path, self.show, methods=["GET"]),
            Route(path, self.pay, methods=["POST"]),
            Route(f"{path}/pdf", self.pdf, methods=["GET"]),
            Route("/receipts/{id}/{secret}", self.receipt, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show an invoice, with a button to pay an open one."""
        try:
            async with self._store.read() as tx:
                invoice = await _addressed(tx, request, "invoice", "_secret")
        except StripeError as error:
            return refusal(error)
        return _invoice_page(invoice)

    async def pay(self, request: Request) -> Response:
        """Pay with the customer's default card; its holder is there, and sent on to authenticate if need be."""
        try:
            async with self._store.write() as tx:
                invoice = await _addressed(tx, request, "invoice", "_secret")
                if invoice["status"] != "open":
                    return _invoice_page(invoice, f"This invoice can't be paid: its status is {invoice['status']}.")
                error = await invoice_payment.pay(tx, invoice, None, off_session=False)
                intent = error.error.get("payment_intent") if error else None
        except StripeError as refused:
            return refusal(refused)
        if intent and intent["next_action"]:
            return RedirectResponse(intent["next_action"]["redirect_to_url"]["url"], 303)
        return _invoice_page(invoice, str(error) if error else None)

    async def pdf(self, request: Request) -> Response:
        """Answer the invoice as a PDF."""
        try:
            async with self._store.read() as tx:
                invoice = await _addressed(tx, request, "invoice", "_secret")
        except StripeError as error:
            return refusal(error)
        headers = {"Content-Disposition": f'attachment; filename="Invoice-{invoice["number"]}.pdf"'}
        return Response(invoice_pdf(invoice), headers=headers, media_type="application/pdf")

    async def receipt(self, request: Request) -> Response:
        """Show the receipt of a charge."""
        try:
            async with self._store.read() as tx:
                charge = await _addressed(tx, request, "charge", "_receipt")
        except StripeError as error:
            return refusal(error)
        card = charge["payment_method_details"]["card"]
        paid = f"{money(charge['amount'], charge['currency'])} paid with {card['brand']} ending in {card['last4']}."
        refunded = charge["amount_refunded"]
        body = paragraph(paid) + (paragraph(f"Refunded: {money(refunded, charge['currency'])}") if refunded else "")
        return page("Receipt", body)


async def _addressed(tx: Transaction, request: Request, kind: str, secret_field: str) -> Json:
    body = await tx.get(kind, request.path_params["id"])
    secret = body.get(secret_field) or ""
    if not secret or not secrets.compare_digest(secret.encode(), request.path_params["secret"].encode()):
        raise missing(kind, body["id"])
    return body


def refusal(error: StripeError) -> Response:
    """Return the page for a StripeError."""
    return page("This page can't be shown", paragraph(str(error), "error"), error.status)


def _invoice_page(invoice: Json, problem: str | None = None) -> Response:
    currency = invoice["currency"]
    at = datetime.fromtimestamp(invoice["effective_at"], UTC).date().isoformat()
    rows = "".join(
        f"<tr><td>{escape(line['description'] or '')}</td><td>{line['quantity']}</td>"
        f'<td class="amount">{escape(money(line["amount"], currency))}</td></tr>'
        for line in invoice["lines"]["data"]
    )
    sums = "".join(
        f'<tr><th colspan="2">{escape(name)}</th><td class="amount">{escape(money(amount, currency))}</td></tr>'
        for name, amount in summary(invoice)
    )
    to = " · ".join(text for text in (invoice["customer_name"], invoice["customer_email"]) if text)
    pay = f'<form method="post">{button("pay", "1", "Pay with the card on file", primary=True)}</form>'
    return page(
        f"Invoice {invoice['number']}",
        (paragraph(problem, "error") if problem else "")
        + paragraph(f"{at} · {to}" if to else at)
        + f'<table><tr><th>Item</th><th>Quantity</th><th class="amount">Amount</th></tr>{rows}{sums}</table>'
        + paragraph(f"Status: {invoice['status']}")
        + (pay if invoice["status"] == "open" else "")
        + f'<p><a href="{escape(invoice["invoice_pdf"])}">Download as PDF</a></p>',
    )


def summary(invoice: Json) -> list[tuple[str, int]]:
    """Return the invoice's sums with their names, in the order they are shown."""
    taxes = [(f"Tax ({tax['tax_behavior']})", tax["amount"]) for tax in invoice["total_taxes"]]
    applied = invoice["ending_balance"] - invoice["starting_balance"]
    return [
        ("Subtotal", invoice["subtotal"]),
        *taxes,
        ("Total", invoice["total"]),
        *([("Applied balance", -applied)] if applied else []),
        ("Amount due", invoice["amount_due"]),
        ("Amount paid", invoice["amount_paid"]),
    ]
