"""Who used how much of a resource: those who used most, and what was reported without a subject."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from app.db.reads import Reads
from app.money import EXACT
from app.store import usage_reads as usage_read_store
from app.store.usage_reads import UseBySubject


class SubjectUse(NamedTuple):
    """What a subject used, and the credits (in steps) that paid for it; None for what has no subject, or one that was erased."""

    subject: str | None
    used: Decimal
    charged: int


class Used(NamedTuple):
    """All that was used of a resource; `period_start` is None for a gauge."""

    resource: str
    period_start: datetime | None
    used: Decimal
    charged: int


@dataclass(frozen=True, slots=True)
class MostUse:
    """Those who used most, the most first; at most `asked` of them."""

    asked: int
    uses: tuple[SubjectUse, ...]

    @classmethod
    def of(cls, rows: Iterable[UseBySubject], whole: Used, asked: int) -> MostUse:
        """Those of the rows who used this; what is left of the whole was used by nobody who has a name."""
        own = [row for row in rows if row.resource == whole.resource and row.period_start == whole.period_start]
        uses = [SubjectUse(row.name, row.used, row.charged) for row in own]
        nameless = EXACT.subtract(whole.used, own[0].named_used) if own else whole.used
        if nameless > 0:
            uses.append(SubjectUse(None, nameless, max(whole.charged - (own[0].named_charged if own else 0), 0)))
        # the sort keeps the order of the named, before whom of equal use nobody comes who has no name
        return cls(asked, tuple(sorted(uses, key=lambda use: use.used, reverse=True)[:asked]))


async def read_most_use(reads: Reads, workspace_id: UUID, whole: Used, at: datetime, asked: int) -> MostUse:
    """Those who used most of a resource in the period that `at` is in, at most `asked` of them."""
    rows = await reads.all_of(usage_read_store.USE_BY_SUBJECT, (workspace_id, at, asked)) if asked else ()
    return MostUse.of(rows, whole, asked)
