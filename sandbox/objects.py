"""Stripe's objects as JSON documents: what of them a caller sees, and the list object."""

from __future__ import annotations

from typing import Any, cast

Json = dict[str, Any]

# an invoice tells so many of its lines; the list of its lines has the rest
EMBEDDED_LINES = 10


def visible(value: Any) -> Any:
    """Return a copy without the sandbox's own fields, whose names start with an underscore.

    Of an invoice's lines only the first ones are in it.
    """
    if isinstance(value, dict):
        fields = cast("Json", value)
        shown = {name: visible(inner) for name, inner in fields.items() if not name.startswith("_")}
        if shown.get("object") == "invoice" and "lines" in shown and len(shown["lines"]["data"]) > EMBEDDED_LINES:
            shown["lines"] |= {"data": shown["lines"]["data"][:EMBEDDED_LINES], "has_more": True}
        return shown
    if isinstance(value, list):
        return [visible(inner) for inner in cast("list[Any]", value)]
    return value


def list_object(entries: list[Json], url: str, has_more: bool = False) -> Json:
    """Return Stripe's list object."""
    return {"object": "list", "data": entries, "has_more": has_more, "url": url}
