"""Metadata: merged key by key; an empty value unsets a key, an empty string in place of the hash unsets all."""

from __future__ import annotations

from typing import Any

from sandbox.errors import invalid


def merged(current: dict[str, str], given: Any) -> dict[str, str]:
    """Return `current` with the metadata parameter `given` (a mapping, '' or None) applied.

    Raises StripeError beyond Stripe's limits: 50 keys of 40 characters, values of 500.
    """
    if given is None:
        return current
    if given == "":
        return {}
    changed = current | given
    for key, value in changed.items():
        if len(key) > 40:
            raise invalid(f"Metadata keys can have up to 40 characters: {key}", param="metadata")
        if len(value) > 500:
            raise invalid(f"Metadata values can have up to 500 characters: {key}", param=f"metadata[{key}]")
    kept = {key: value for key, value in changed.items() if value != ""}
    if len(kept) > 50:
        raise invalid("Metadata can have up to 50 keys.", param="metadata")
    return kept
