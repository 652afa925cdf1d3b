"""Lines of invoices as they are kept, with the plan or the add-on that each of them bills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.payments.gateway_values import InvoiceLine, TaxLine


@dataclass(frozen=True, slots=True)
class LineOrigin:
    """What a price bills: the plan on the terms with this id, or one of its add-ons."""

    terms_id: str
    add_on: str | None


def lines_as_json(lines: Sequence[InvoiceLine], origins: Mapping[str, LineOrigin]) -> list[dict[str, Any]]:
    """Lines as they are kept; `origins` tells by the provider's id of its price what a line bills."""
    return [_line_as_json(line, origins.get(line.price_id or "")) for line in lines]


def tax_lines_as_json(lines: Sequence[TaxLine]) -> list[dict[str, Any]]:
    """Tax lines as they are kept."""
    return [_plain(asdict(line)) for line in lines]


def origins_in(kept: Sequence[Mapping[str, Any]]) -> dict[str, LineOrigin]:
    """What is known of the prices of kept lines, by the provider's ids of them."""
    return {
        line["price_id"]: LineOrigin(line["terms_id"], line["add_on"])
        for line in kept
        if line["price_id"] is not None and line.get("terms_id") is not None
    }


def _line_as_json(line: InvoiceLine, origin: LineOrigin | None) -> dict[str, Any]:
    kept = _plain({name: value for name, value in asdict(line).items() if name != "metadata"})
    terms_id, add_on = (origin.terms_id, origin.add_on) if origin is not None else (None, None)
    return {**kept, "terms_id": terms_id, "add_on": add_on}


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """`value` as it comes back from a JSON column: times in ISO 8601, decimals as text."""
    plain = (str, int, bool, type(None))
    return {
        name: member
        if isinstance(member, plain)
        else member.isoformat()
        if hasattr(member, "isoformat")
        else str(member)
        for name, member in value.items()
    }
