"""Addresses, as customers, cards and Checkout have them."""

from __future__ import annotations

import re
from typing import Any

from sandbox.errors import invalid_request
from sandbox.objects import Json

_FIELDS = ("city", "country", "line1", "line2", "postal_code", "state")

_COUNTRY = re.compile("[A-Za-z]{2}")


def full_address(given: Any, param: str = "address") -> Json | None:
    """Return an address with all its fields, or None for an empty one.

    Raises StripeError for a country that is no two-letter code; `param` is the name of the parameter.
    """
    if not given:
        return None
    country = given.get("country")
    if country and _COUNTRY.fullmatch(country) is None:
        raise invalid_request(
            f"Country '{country}' is unknown. Try using a 2-character alphanumeric country code instead, such as 'US',"
            " 'EG', or 'GB'. A full list of country codes is available at"
            " https://en.wikipedia.org/wiki/ISO_3166-1_alpha-2#Officially_assigned_code_elements",
            code="country_code_invalid",
            param=f"{param}[country]",
        )
    return {name: given.get(name) or None for name in _FIELDS}


def full_or_empty_address(given: Any, param: str = "address") -> Json:
    """Return an address with all its fields; those of an empty one are None. Raises StripeError as full_address does."""
    return full_address(given, param) or dict.fromkeys(_FIELDS)
