"""The sections of the billing portal."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from sandbox.currencies import money
from sandbox.objects import Json
from sandbox.pages.layout import button, paragraph, select_field, text_field
from sandbox.pages.wording import TAX_ID_TYPES, card_label, every_text
from sandbox.resources.payment_methods.stripe_test_cards import CARDS
from sandbox.resources.portal.portal_actions import live_subscriptions
from sandbox.store import PageQuery, Transaction

_DETAILS = {"name": "Name", "email": "E-mail", "phone": "Phone"}
_ADDRESS = {"line1": "Address", "postal_code": "Postal code", "city": "City", "country": "Country (two letters)"}
_SHOWN_INVOICES = 24
_AMOUNT = ' class="amount"'


async def sections(tx: Transaction, session: Json, customer: Json, features: Json) -> str:
    """Return the sections that a configuration offers, as HTML."""
    parts = [await _subscriptions(tx, session, features["subscription_cancel"])]
    if features["payment_method_update"]["enabled"]:
        parts.append(await _cards(tx, session, customer))
    if features["customer_update"]["enabled"]:
        parts.append(await _details(tx, customer, features["customer_update"]["allowed_updates"]))
    if features["invoice_history"]["enabled"]:
        parts.append(await _invoices(tx, customer))
    if session["return_url"]:
        parts.append(f'<p><a href="{escape(session["return_url"])}">Return</a></p>')
    return "".join(parts)


async def _subscriptions(tx: Transaction, session: Json, cancelation: Json) -> str:
    rows = [await _subscription(tx, each, cancelation) for each in await live_subscriptions(tx, session)]
    return _section("subscriptions", "Subscriptions", "".join(rows) or paragraph("There is no subscription."))


async def _subscription(tx: Transaction, subscription: Json, cancelation: Json) -> str:
    lines: list[str] = []
    for item in subscription["items"]["data"]:
        product = await tx.find_including_deleted("product", item["price"]["product"]) or {}
        price = item["price"]
        amount = money(price["unit_amount"] or 0, price["currency"])
        name = str(product.get("name", "Plan"))
        lines.append(f"{name} × {item['quantity']}, {amount} every {every_text(price['recurring'])}")
    end = _day(max(item["current_period_end"] for item in subscription["items"]["data"]))
    ends_at = subscription["cancel_at"]
    state = f"Ends on {_day(ends_at)}." if ends_at is not None else f"Renews on {end}."
    if subscription["status"] == "past_due":
        state += " A payment has failed."
    text = "".join(paragraph(line) for line in lines) + paragraph(state)
    if not cancelation["enabled"]:
        return text
    if subscription["schedule"] is not None:
        return text + paragraph("A change is already planned. It can't be canceled or changed here.", "note")
    hidden = f'<input type="hidden" name="subscription" value="{escape(subscription["id"])}">'
    if ends_at is not None:
        return text + _form("renew", hidden, "Do not cancel")
    reason = ""
    if cancelation["cancellation_reason"]["enabled"]:
        options = [
            ("", "No answer"),
            *((each, each.replace("_", " ")) for each in cancelation["cancellation_reason"]["options"]),
        ]
        reason = select_field("Why do you cancel?", "feedback", options)
    when = f"Cancel on {end}" if cancelation["mode"] == "at_period_end" else "Cancel now"
    return text + _form("cancel", hidden + reason, when)


async def _cards(tx: Transaction, session: Json, customer: Json) -> str:
    saved = await tx.find_all("payment_method", {"customer": customer["id"]})
    own = {each["default_payment_method"] for each in await live_subscriptions(tx, session)} - {None}
    default = customer["invoice_settings"]["default_payment_method"]
    rows = ""
    for method in saved:
        card = method["card"]
        text = f"{card['brand'].capitalize()} ending in {card['last4']}, expires {card['exp_month']:02d}/{card['exp_year']}"
        hidden = f'<input type="hidden" name="payment_method" value="{escape(method["id"])}">'
        charged = method["id"] in (own or {default})
        label = f" {card['last4']}"
        choices = (
            "Default"
            if charged
            else _form("make_default", hidden, f"Make default{label}") + _form("remove_card", hidden, f"Remove{label}")
        )
        rows += f"<tr><td>{escape(text)}</td><td>{choices}</td></tr>"
    options = [(card.number, card_label(card)) for card in CARDS]
    add = _form("add_card", select_field("Test card", "card", options), "Add card")
    table = f"<table>{rows}</table>" if rows else paragraph("No card is saved.")
    return _section("cards", "Payment methods", table + add)


async def _details(tx: Transaction, customer: Json, allowed: list[str]) -> str:
    address: Json = customer["address"] or {}
    fields = "".join(
        text_field(label, name, customer[name] or "") for name, label in _DETAILS.items() if name in allowed
    )
    if "address" in allowed:
        fields += "".join(text_field(label, name, address.get(name) or "") for name, label in _ADDRESS.items())
    parts = _form("update_details", fields, "Save details") if fields else ""
    if "tax_id" in allowed:
        rows = ""
        for tax_id in await tx.find_all("tax_id", {"customer": customer["id"]}):
            hidden = f'<input type="hidden" name="tax_id" value="{escape(tax_id["id"])}">'
            text = f"{tax_id['value']} ({tax_id['verification']['status']})"
            remove = _form("remove_tax_id", hidden, f"Remove {tax_id['value']}")
            rows += f"<tr><td>{escape(text)}</td><td>{remove}</td></tr>"
        parts += f"<h3>Tax ids</h3><table>{rows}</table>" if rows else "<h3>Tax ids</h3>"
        new = select_field("Kind of tax id", "tax_id_type", TAX_ID_TYPES.items()) + text_field("Tax id", "tax_id_value")
        parts += _form("add_tax_id", new, "Add tax id")
    return _section("details", "Billing details", parts)


async def _invoices(tx: Transaction, customer: Json) -> str:
    query = PageQuery("invoice", {"customer": customer["id"]}, limit=_SHOWN_INVOICES)
    query.one_of["status"] = ("open", "paid", "uncollectible", "void")
    found, _ = await tx.find_page(query)
    rows = "".join(
        f'<tr><td><a href="{escape(invoice["hosted_invoice_url"])}">{escape(invoice["number"])}</a></td>'
        f"<td>{_day(invoice['created'])}</td>"
        f'<td class="amount">{escape(money(invoice["total"], invoice["currency"]))}</td>'
        f"<td>{escape(invoice['status'])}</td></tr>"
        for invoice in found
        if invoice["number"]
    )
    names = ("Invoice", "Date", "Total", "Status")
    head = "".join(f'<th scope="col"{_AMOUNT if name == "Total" else ""}>{name}</th>' for name in names)
    table = f"<table><tr>{head}</tr>{rows}</table>" if rows else paragraph("There is no invoice yet.")
    return _section("invoices", "Invoices", table)


def _section(name: str, title: str, body: str) -> str:
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>{body}</section>'


def _form(action: str, fields: str, label: str) -> str:
    """Return a form that posts an action."""
    return f'<form method="post">{fields}{button("action", action, label)}</form>'


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
