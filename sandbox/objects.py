"""Stripe's objects as JSON documents: what of them a caller sees, and the list object."""

from __future__ import annotations

from typing import Any, cast

Json = dict[str, Any]


def visible(value: Any) -> Any:
    """Return a copy without the sandbox's own fields, whose names start with an underscore."""
    if isinstance(value, dict):
        fields = cast("Json", value)
        return {name: visible(inner) for name, inner in fields.items() if not name.startswith("_")}
    if isinstance(value, list):
        return [visible(inner) for inner in cast("list[Any]", value)]
    return value


def list_object(entries: list[Json], url: str, has_more: bool = False) -> Json:
    """Return Stripe's list object."""
    return {"object": "list", "data": entries, "has_more": has_more, "url": url}
