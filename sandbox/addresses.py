"""Addresses, as customers, cards and Checkout have them."""

from __future__ import annotations

from typing import Any

from sandbox.objects import Json

_FIELDS = ("city", "country", "line1", "line2", "postal_code", "state")


def full_address(given: Any) -> Json | None:
    """Return an address with all its fields, or None for an empty one."""
    return {name: given.get(name) or None for name in _FIELDS} if given else None


def full_or_empty_address(given: Any) -> Json:
    """Return an address with all its fields; those of an empty one are None."""
    return full_address(given) or dict.fromkeys(_FIELDS)
