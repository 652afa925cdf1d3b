"""The page that `@specifiedBy` leads to: how the scalars of the API are written, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

from app.asgi.page_frame import Page
from schema.scalars import BIGINT_MAX, BIGINT_MIN, MOST_DIGITS


@dataclass(frozen=True, slots=True)
class Specification:
    """What the page says of a scalar: paragraphs, and JSON texts that are taken and refused as input."""

    name: str
    paragraphs: tuple[str, ...]
    taken: tuple[str, ...]
    refused: tuple[str, ...]


SPECIFICATIONS: Final = (
    Specification(
        "DateTime",
        (
            "A moment, as a string of ISO 8601 in the form of RFC 3339: date, T, time of day and offset from UTC. Seconds "
            "may be left out, and may have up to nine digits after the point, of which six are kept. Without an offset it "
            "is refused, and so is what is no day or time of the calendar.",
            "Answers are in UTC with Z. They have six digits after the point where the moment is not a whole second, and "
            "none where it is.",
        ),
        ('"2026-11-21T09:30:00Z"', '"2026-11-21T10:30:00.25+01:00"', '"2026-11-21T09:30Z"'),
        ('"2026-11-21T09:30:00"', '"2026-11-21"', '"2026-02-30T00:00:00Z"', "1795253400"),
    ),
    Specification(
        "Decimal",
        (
            "An exact decimal number, as a string in plain notation: digits, perhaps a minus sign before them, perhaps a "
            f"point and digits behind it; at most {MOST_DIGITS} digits in all. JSON numbers are refused, since they lose "
            "digits on the way, and so are plus signs, exponents, blanks, thousands separators, NaN and infinities. A "
            "field may take fewer digits after the point: those of its currency or credit unit.",
            "Answers have exactly the digits after the point that their currency or credit unit has: 12.50 in euros, 1500 "
            "in tokens.",
        ),
        ('"12.50"', '"1500"', '"-0.000001"'),
        ("12.5", '"1e3"', '"+1"', '"1,000"', '".5"', '"NaN"'),
    ),
    Specification(
        "BigInt",
        (
            f"A whole number of up to 64 bits, as a string: digits, perhaps a minus sign before them, from {BIGINT_MIN} to "
            f"{BIGINT_MAX}. JSON numbers are refused: many programs read them as doubles, which lose digits past 53 bits.",
            "Answers are strings too. Compare them as numbers, not as text.",
        ),
        ('"42"', '"-1"', f'"{BIGINT_MAX}"'),
        ("42", f'"{BIGINT_MAX + 1}"', '"1.0"', '" 42"'),
    ),
)


def _section(scalar: Specification) -> str:
    paragraphs = "".join(f"<p>{escape(each, quote=False)}</p>" for each in scalar.paragraphs)
    lists = "".join(
        f"<p>{title}</p><ul>{''.join(f'<li><code>{escape(each, quote=False)}</code></li>' for each in examples)}</ul>"
        for title, examples in (("Taken:", scalar.taken), ("Refused:", scalar.refused))
    )
    return f'<section><h2 id="{scalar.name}">{scalar.name}</h2>{paragraphs}{lists}</section>'


PAGE: Final = Page(
    "Scalars of the API",
    "<p>In variables and in documents alike. What is refused answers <code>BAD_USER_INPUT</code>, or "
    "<code>GRAPHQL_VALIDATION_FAILED</code> where it stands in the document.</p>"
    + "".join(map(_section, SPECIFICATIONS)),
)
