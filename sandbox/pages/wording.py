"""Words that several pages have in common."""

from __future__ import annotations

from sandbox.objects import Json
from sandbox.resources.payment_methods.stripe_test_cards import Card

TAX_ID_TYPES = {
    "eu_vat": "European VAT number",
    "gb_vat": "United Kingdom VAT number",
    "ch_vat": "Switzerland VAT number",
    "no_vat": "Norwegian VAT number",
    "us_ein": "United States EIN",
    "ca_bn": "Canadian BN",
    "au_abn": "Australian Business Number",
}


def card_label(card: Card) -> str:
    """Return how a list of test cards names one: its brand, its number, what it does."""
    return f"{card.brand.capitalize()} {card.number[:4]} … {card.number[-4:]} – {card.label}"


def every_text(recurring: Json) -> str:
    """Return an interval in words, such as `month` or `3 months`."""
    if recurring["interval_count"] == 1:
        return str(recurring["interval"])
    return f"{recurring['interval_count']} {recurring['interval']}s"
