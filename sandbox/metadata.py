"""The parameter `metadata`, which every object takes."""

from __future__ import annotations

from typing import Any

from sandbox.errors import invalid_request

MAX_KEYS = 50
MAX_KEY_LENGTH = 40
MAX_VALUE_LENGTH = 500


def merge_metadata(current: dict[str, str], given: Any) -> dict[str, str]:
    """Return `current` with the parameter `given` applied: a mapping, '' to remove all keys, or None for no change.

    The mapping is merged key by key; an empty value removes its key. Raises StripeError beyond Stripe's limits.
    """
    if given is None:
        return current
    if given == "":
        return {}
    changed = current | given
    for key, value in changed.items():
        if len(key) > MAX_KEY_LENGTH:
            raise invalid_request(f"Metadata keys can have up to {MAX_KEY_LENGTH} characters: {key}", param="metadata")
        if len(value) > MAX_VALUE_LENGTH:
            raise invalid_request(
                f"Metadata values can have up to {MAX_VALUE_LENGTH} characters: {key}", param=f"metadata[{key}]"
            )
    kept = {key: value for key, value in changed.items() if value != ""}
    if len(kept) > MAX_KEYS:
        raise invalid_request(f"Metadata can have up to {MAX_KEYS} keys.", param="metadata")
    return kept
