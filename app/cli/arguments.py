"""What people type after a command: moments, amounts, and ids of the API."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.cli.command_error import CommandError
from app.errors import NotFound
from app.ids import parse_global_id

_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_NEGATIVE = re.compile(rf"-{_PLAIN.pattern}", re.ASCII)


def moment(text: str, now: datetime) -> datetime:
    """So many days from now, or a date or time in ISO 8601, in UTC unless it says otherwise."""
    try:
        if text.endswith("d") and text[:-1].isdecimal():
            return now + timedelta(days=int(text[:-1]))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise CommandError(f"{text!r} is no time: write it like 90d or 2027-01-31.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def plain_amount(text: str) -> Decimal:
    """An amount as the API takes it too: digits, and a point where there are some after it; no exponents and no NaN."""
    if _NEGATIVE.fullmatch(text):
        raise CommandError("The amount must not be negative.")
    if not _PLAIN.fullmatch(text):
        raise CommandError(f"{text!r} is no amount: write it like 500.00.")
    return Decimal(text)


def signed_amount(text: str) -> Decimal:
    """As `plain_amount`, but it may be below zero."""
    return -plain_amount(text[1:]) if text.startswith("-") else plain_amount(text.removeprefix("+"))


def purchase_of(text: str) -> tuple[UUID, UUID]:
    """The workspace and the row that the API's id of a purchase names."""
    try:
        found = parse_global_id(text)
    except NotFound:
        found = None
    if found is None or found.type != "CreditPurchase" or found.workspace_id is None or not isinstance(found.id, UUID):
        raise CommandError(f"{text!r} is no id of a purchase.")
    return found.workspace_id, found.id
