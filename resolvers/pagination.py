"""Pages of connections: how many, from where, and opaque cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

from app.errors import BadUserInput

T = TypeVar("T")

MOST_ROWS = 100
USUAL_ROWS = 20


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows with a cursor each, and whether there are more on either side."""

    rows: Sequence[T]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool


def page_size(first: int | None, *, usual: int = USUAL_ROWS) -> int:
    """`first` if it is a size that a page may have, the `usual` size for None; raises `BadUserInput` otherwise."""
    if first is None:
        return usual
    if not 0 <= first <= MOST_ROWS:
        raise BadUserInput(f"first must be between 0 and {MOST_ROWS}.")
    return first


def page_of(fetched: Sequence[T], first: int, after: str | None, cursor: Callable[[T], str]) -> Page[T]:
    """The page made of up to `first` + 1 fetched rows: the one too many only tells that there are more."""
    rows = fetched[:first]
    return Page(rows, [encode_cursor(cursor(row)) for row in rows], len(fetched) > first, after is not None)


def encode_cursor(text: str) -> str:
    """An opaque cursor that `decode_cursor` reads back."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, parse: Callable[[str], T]) -> T:
    """What `parse` makes of the text in a cursor; raises `BadUserInput` for a cursor that this connection never gave."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        value = parse(text)
    except (binascii.Error, ValueError, OverflowError):
        raise BadUserInput("The cursor is not one that this connection gave.") from None
    if encode_cursor(text) != cursor:
        raise BadUserInput("The cursor is not one that this connection gave.")
    return value


def time_and_id(at: datetime, row_id: UUID) -> str:
    """The cursor's text of a row in a connection that is sorted by time; `parse_time_and_id` reads it back."""
    return f"{at.isoformat()}|{row_id.hex}"


def parse_time_and_id(text: str) -> tuple[datetime, UUID]:
    """The time, in UTC, and the id in a cursor's text; raises `ValueError` for any other text."""
    at, _, row_id = text.partition("|")
    # a time without an offset names no moment: astimezone would take it for this machine's own
    if datetime.fromisoformat(at).tzinfo is None:
        raise ValueError(text)
    return datetime.fromisoformat(at).astimezone(UTC), UUID(hex=row_id)
