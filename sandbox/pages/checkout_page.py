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
from sandbox.pages.layout import button, page, page_route, paragraph, select_field, text_field
from sandbox.pages.wording import TAX_ID_TYPES, card_label, every_text
from sandbox.resources.checkout.completion import submit_session
from sandbox.resources.checkout.subscribing import adjust_quantities
from sandbox.resources.payment_methods.payment_method_object import card_from_params, create_payment_method
from sandbox.resources.payment_methods.stripe_test_cards import CARDS
from sandbox.store import Store, Transaction

_ADDRESS_FIELDS = {
    "name": "Name",
    "line1": "Address",
    "postal_code": "Postal code",
    "city": "City",
    "country": "Country (two letters)",
}
_LONGEST_QUANTITY = 6


class CheckoutPage:
    """GET and POST /checkout/{id}.

    The form posts `card` (a test number or token) and what the session asks for: an address, quantities, a tax id.
    """

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
            asks_tax_id = await _asks_tax_id(tx, session)
        if session["status"] == "complete":
            return RedirectResponse(_success_url(session), 303)
        if session["status"] == "expired":
            return page("This page has expired", paragraph("Go back to the shop and begin again."), 410)
        return _form(session, None, asks_tax_id=asks_tax_id)

    async def submit(self, request: Request) -> Response:
        """Try the chosen card; redirect to the bank if it requires authentication, to the shop on success."""
        form = await request.form()
        async with self._store.write() as tx:
            session = await tx.get("checkout.session", request.path_params["id"])
            details = _details(session, form)
            details["tax_id"] = await _tax_id(tx, session, form)
            await adjust_quantities(tx, session, _quantities(session, form))
            reference = str(form.get("card", "")).strip()
            card: Json = {"token" if reference.startswith(("pm_card_", "tok_")) else "number": reference}
            params: Json = {"type": "card", "card": card, "billing_details": details}
            method = await create_payment_method(tx, card_from_params(params), params)
            intent, error = await submit_session(tx, session, method, details)
        if error is not None:
            return _form(session, str(error), error.status, asks_tax_id=details["tax_id"] is not None)
        if intent is not None and intent["next_action"]:
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


def _quantities(session: Json, form: FormData) -> dict[int, int]:
    """Return the quantities chosen on the page, by the place of their line."""
    chosen: dict[int, int] = {}
    for place, line in enumerate(session["_line_items"]):
        given = str(form.get(f"quantity_{place}", "")).strip()
        if line["adjustable_quantity"] and given:
            if not (given.isascii() and given.isdecimal()) or len(given) > _LONGEST_QUANTITY:
                raise invalid_request("The quantity must be a whole number.", param=f"quantity_{place}")
            chosen[place] = int(given)
    return chosen


async def _asks_tax_id(tx: Transaction, session: Json) -> bool:
    """Whether the page asks for a tax id: not of a customer who has one."""
    if not session["tax_id_collection"]["enabled"]:
        return False
    return not await tx.find_all("tax_id", {"customer": session["customer"]})


async def _tax_id(tx: Transaction, session: Json, form: FormData) -> Json | None:
    """Return the tax id from the form; None without one, or where none is asked for."""
    value = str(form.get("tax_id_value", "")).strip()
    if not value or not await _asks_tax_id(tx, session):
        return None
    kind = str(form.get("tax_id_type", "eu_vat"))
    if kind not in TAX_ID_TYPES:
        raise invalid_request("The tax id is of a kind that is not known here.", param="tax_id_type")
    return {"type": kind, "value": value}


def _success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _form(session: Json, problem: str | None, status: int = 200, *, asks_tax_id: bool = False) -> Response:
    options = [(card.number, card_label(card)) for card in CARDS]
    fields = "".join(text_field(label, name) for name, label in _ADDRESS_FIELDS.items())
    rows = "".join(_row(place, line) for place, line in enumerate(session["_line_items"]))
    if session["mode"] == "setup":
        title, submit = "Save a card", "Save card"
    else:
        amount = money(session["amount_total"], session["currency"])
        title, submit = ("Pay", f"Pay {amount}") if session["mode"] == "payment" else ("Subscribe", "Subscribe and pay")
        tax = session["total_details"]["amount_tax"]
        rows += f'<tr><td>Tax included</td><td class="amount">{escape(money(tax, session["currency"]))}</td></tr>'
        rows += f'<tr><th scope="row">Due today</th><td class="amount">{escape(amount)}</td></tr>'
    tax_id = select_field("Kind of tax id", "tax_id_type", TAX_ID_TYPES.items()) + text_field("Tax id", "tax_id_value")
    back = f'<p><a href="{escape(session["cancel_url"])}">Back</a></p>' if session["cancel_url"] else ""
    return page(
        title,
        (paragraph(problem, "error") if problem else "")
        + '<form method="post">'
        + (f"<table>{rows}</table>" if rows else "")
        + (fields if _asks_address(session) else "")
        + (tax_id if asks_tax_id else "")
        + select_field("Test card", "card", options)
        + button("pay", "1", submit, primary=True)
        + f"</form>{back}",
        status,
    )


def _row(place: int, line: Json) -> str:
    """Return the row of a line item; an adjustable quantity has a field."""
    bounds = line["adjustable_quantity"]
    name = escape(line["description"])
    if bounds is None:
        what = f"{name} × {line['quantity']}"
    else:
        what = (
            f'<label>{name}, quantity<input type="number" name="quantity_{place}" value="{line["quantity"]}"'
            f' min="{bounds["minimum"]}" max="{bounds["maximum"]}"></label>'
        )
    recurring = line["price"]["recurring"]
    every = f" every {every_text(recurring)}" if recurring else ""
    amount = escape(money(line["amount_total"], line["currency"]) + every)
    return f'<tr><td>{what}</td><td class="amount">{amount}</td></tr>'
