"""The hosted Checkout page: the customer chooses a test card, pays with it or saves it, and returns to the shop."""

from __future__ import annotations

from html import escape
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.addresses import full_address
from sandbox.currencies import money
from sandbox.errors import invalid_request
from sandbox.objects import Json
from sandbox.pages.layout import button, page, page_route, paragraph
from sandbox.resources.checkout.completion import submit_session
from sandbox.resources.payment_methods.payment_method_object import card_from_params, create_payment_method
from sandbox.resources.payment_methods.stripe_test_cards import CARDS
from sandbox.store import Store

_ADDRESS_FIELDS = {
    "name": "Name",
    "line1": "Address",
    "postal_code": "Postal code",
    "city": "City",
    "country": "Country (two letters)",
}


class CheckoutPage:
    """GET and POST /checkout/{id}; the form posts `card` (a test number or token) and, if the session asks for it, an address."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the page's routes."""
        path = "/checkout/{id}"
        return [page_route("GET", path, self.show), page_route("POST", path, self.submit)]

    async def show(self, request: Request) -> Response:
        """Show what is paid or saved, and the test cards to choose from; redirect a completed session to the shop."""
        async with self._store.read() as tx:
            session = await tx.get("checkout.session", request.path_params["id"])
        if session["status"] == "complete":
            return RedirectResponse(_success_url(session), 303)
        if session["status"] == "expired":
            return page("This page has expired", paragraph("Go back to the shop and begin again."), 410)
        return _form(session, None)

    async def submit(self, request: Request) -> Response:
        """Try the chosen card; redirect to the bank if it requires authentication, to the shop on success."""
        form = await request.form()
        async with self._store.write() as tx:
            session = await tx.get("checkout.session", request.path_params["id"])
            details = _details(session, form)
            reference = str(form.get("card", "")).strip()
            card: Json = {"token" if reference.startswith(("pm_card_", "tok_")) else "number": reference}
            params: Json = {"type": "card", "card": card, "billing_details": details}
            method = await create_payment_method(tx, card_from_params(params), params)
            intent, error = await submit_session(tx, session, method, details)
        if error is not None:
            return _form(session, str(error), error.status)
        if intent["next_action"]:
            return RedirectResponse(intent["next_action"]["redirect_to_url"]["url"], 303)
        return RedirectResponse(_success_url(session), 303)


def _asks_address(session: Json) -> bool:
    return session["billing_address_collection"] == "required" or "auto" in session["_customer_update"].values()


def _details(session: Json, form: FormData) -> Json:
    """Return the name and address from the form. Raises StripeError if a required address is missing."""
    given: dict[str, Any] = {name: str(form.get(name, "")).strip() for name in _ADDRESS_FIELDS}
    if session["billing_address_collection"] == "required" and not given["country"]:
        raise invalid_request("The address needs a country.", param="country")
    address = {name: value for name, value in given.items() if name != "name" and value}
    return {"name": given["name"] or None, "address": full_address(address)}


def _success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _form(session: Json, problem: str | None, status: int = 200) -> Response:
    options = "".join(
        f'<option value="{card.number}">{card.brand.capitalize()} {card.number[:4]} … {card.number[-4:]}'
        f" – {escape(card.label)}</option>"
        for card in CARDS
    )
    fields = "".join(
        f'<label>{escape(label)}<input name="{name}" autocomplete="off"></label>'
        for name, label in _ADDRESS_FIELDS.items()
    )
    rows = "".join(
        f"<tr><td>{escape(line['description'])} × {line['quantity']}</td>"
        f'<td class="amount">{escape(money(line["amount_total"], line["currency"]))}</td></tr>'
        for line in session["_line_items"]
    )
    if session["mode"] == "payment":
        title, submit = "Pay", f"Pay {money(session['amount_total'], session['currency'])}"
        tax = session["total_details"]["amount_tax"]
        rows += f'<tr><td>Tax included</td><td class="amount">{escape(money(tax, session["currency"]))}</td></tr>'
    else:
        title, submit = "Save a card", "Save card"
    back = f'<p><a href="{escape(session["cancel_url"])}">Back</a></p>' if session["cancel_url"] else ""
    return page(
        title,
        (paragraph(problem, "error") if problem else "")
        + (f"<table>{rows}</table>" if rows else "")
        + '<form method="post">'
        + (fields if _asks_address(session) else "")
        + f'<label>Test card<select name="card">{options}</select></label>'
        + button("pay", "1", submit, primary=True)
        + f"</form>{back}",
        status,
    )
