"""The receipt of a charge."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.currencies import money
from sandbox.pages.layout import page, page_route, paragraph
from sandbox.pages.secret_urls import get_by_secret
from sandbox.store import Store


class ReceiptPage:
    """GET /receipts/{charge}/{secret}."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the page's routes."""
        return [page_route("GET", "/receipts/{id}/{secret}", self.show)]

    async def show(self, request: Request) -> Response:
        """Show the receipt of a charge."""
        async with self._store.read() as tx:
            charge = await get_by_secret(tx, request, "charge", "_receipt")
        card = charge["payment_method_details"]["card"]
        paid = f"{money(charge['amount'], charge['currency'])} paid with {card['brand']} ending in {card['last4']}."
        refunded = charge["amount_refunded"]
        body = paragraph(paid) + (paragraph(f"Refunded: {money(refunded, charge['currency'])}") if refunded else "")
        return page("Receipt", body)
