"""What a caller reports as used, and what is wrong with it. Pure: what must be looked up is looked up elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from app.catalog import Catalog, Resource
from app.error_codes import ErrorCode
from app.errors import InvalidInput
from app.metering.subjects import checked_subject
from app.wording import count

MOST_EVENTS: Final = 1_000
"""How many events one call may report."""
EVENTS_KEPT: Final = timedelta(days=90)
"""How long an event that was counted is known again, from its arrival on."""
OLDEST: Final = timedelta(days=30)
"""How long ago an event may have occurred."""
FURTHEST_AHEAD: Final = timedelta(minutes=5)
"""How far ahead of our clock the sender's may be."""

WARN_AT: Final = (80, 100)
"""At how many percent of a limit its owners are told."""

MOST_ID_CHARACTERS: Final = 255
MOST_WHOLE_DIGITS: Final = 18
MOST_FRACTION_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """Something that was used: `quantity` units more of a counter, or the new level of a gauge.

    Exactly one of `workspace_id` and `external_id` says whose; `occurred_at` None is now; `subject` is who or what used it, by the
    host product's own id.
    """

    workspace_id: UUID | None
    external_id: str | None
    resource: str
    quantity: Decimal
    event_id: str
    occurred_at: datetime | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event that was not counted; `index` is its place among those that were sent, from 0."""

    index: int
    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class RecordedUsage:
    """What became of the events of a call: so many were counted, so many had been before, and the others were not."""

    accepted: int
    duplicates: int
    rejected: Sequence[RejectedEvent]


@dataclass(frozen=True, slots=True)
class Judged:
    """An event that can be counted: `subject` is trimmed, `occurred_at` in UTC."""

    resource: Resource
    quantity: Decimal
    event_id: str
    occurred_at: datetime
    subject: str | None


class _Rejected(Exception):
    def __init__(self, code: ErrorCode, message: str) -> None:
        self.code = code
        self.message = message


def workspace_fault(event: UsageEvent) -> str | None:
    """What is wrong with how an event names its workspace; None where nothing is."""
    if (event.workspace_id is None) == (event.external_id is None):
        return "Give exactly one of workspaceId and externalId."
    return None


def id_fault(event_id: str) -> str | None:
    """What is wrong with an event's id; None where nothing is."""
    if not 1 <= len(event_id) <= MOST_ID_CHARACTERS:
        return f"An eventId has 1 to {count(MOST_ID_CHARACTERS, 'character')}."
    return None


def judge(event: UsageEvent, index: int, catalog: Catalog, now: datetime) -> Judged | RejectedEvent:
    """The event as it is counted, or why it can't be. Its workspace and id are judged before."""
    try:
        return _judged(event, catalog, now)
    except _Rejected as rejected:
        return RejectedEvent(index, rejected.code, rejected.message)
    except InvalidInput as refusal:
        return RejectedEvent(index, refusal.code, refusal.message)


def _judged(event: UsageEvent, catalog: Catalog, now: datetime) -> Judged:
    resource = catalog.resource(event.resource)
    if resource is None:
        raise _Rejected(ErrorCode.UNKNOWN_RESOURCE, "The catalog has no such resource.")
    check_quantity(event.quantity)
    occurred_at = event.occurred_at.astimezone(UTC) if event.occurred_at is not None else now
    if occurred_at < now - OLDEST:
        message = f"This occurred more than {count(OLDEST.days, 'day')} ago: it can't be counted any more."
        raise _Rejected(ErrorCode.EVENT_TOO_OLD, message)
    if occurred_at > now + FURTHEST_AHEAD:
        minutes = count(FURTHEST_AHEAD // timedelta(minutes=1), "minute")
        raise InvalidInput(f"An event can't lie more than {minutes} ahead.")
    return Judged(resource, event.quantity, event.event_id, occurred_at, checked_subject(event.subject))


def check_quantity(quantity: Decimal) -> None:
    """Raise `InvalidInput` for a quantity that is negative, or has more digits than are kept."""
    sign, digits, exponent = quantity.as_tuple()
    if not isinstance(exponent, int):
        raise InvalidInput("A quantity is a finite number.")
    if not any(digits):
        return
    if sign:
        raise InvalidInput("A quantity can't be negative.")
    whole = len(digits) + exponent
    if whole > MOST_WHOLE_DIGITS:
        raise InvalidInput(f"A quantity has at most {count(MOST_WHOLE_DIGITS, 'digit')} before the point.")
    fraction = digits[max(whole + MOST_FRACTION_DIGITS, 0) :]
    if exponent < -MOST_FRACTION_DIGITS and any(fraction):
        raise InvalidInput(f"A quantity has at most {count(MOST_FRACTION_DIGITS, 'digit')} after the point.")
