"""Reverse charge: which businesses account for the tax themselves. Pure: nothing here asks or writes anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from app.catalog import TaxPolicy
from app.payments.billing_detail_values import TaxIdStatus
from app.payments.tax_id_kinds import EU_VAT

_EU: Final = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
# Greece is GR everywhere but in its VAT ids
_OWN_PREFIX: Final = {"EL": "GR"}


class CheckedTaxId(NamedTuple):
    """A tax id, with what the provider found out about it; see `TaxIdStatus`."""

    kind: str
    value: str
    status: str


def vat_country(value: str) -> str | None:
    """The member state (ISO 3166) whose VAT id this is; None for any other, Northern Ireland's (XI, good for goods only) too."""
    prefix = value[:2].upper()
    country = _OWN_PREFIX.get(prefix, prefix)
    return country if country in _EU else None


def is_reverse_charged(tax: TaxPolicy, country: str | None, tax_ids: Iterable[CheckedTaxId]) -> bool:
    """Whether a customer with this billing country accounts for the tax.

    That takes a VAT id of the European Union that the provider has verified, of the country of the billing address, and not of the
    seller's. While it is being verified, and when it no longer is, tax is charged.
    """
    if not tax.reverse_charge or country is None or country == tax.home_country:
        return False
    return any(
        tax_id.kind == EU_VAT and tax_id.status == TaxIdStatus.VERIFIED and vat_country(tax_id.value) == country
        for tax_id in tax_ids
    )
