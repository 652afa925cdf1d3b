"""May so much be used now, and what would pay for it?

Nothing is set aside: who asks at the same time may be told the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.catalog import Catalog
from app.db.reads import Reads
from app.errors import BadUserInput, InvalidInput
from app.ledger import ledger_reads
from app.metering.bars import UsageBar, read_usage
from app.metering.usage_events import check_quantity
from app.money import EXACT
from app.store import usage_reads as usage_read_store
from app.store.usage_reads import WaitingToBePaid

_NOTHING: Final = Decimal(0)


class UsageDecision(StrEnum):
    """What would become of a use."""

    WITHIN_ALLOWANCE = "WITHIN_ALLOWANCE"
    PAID_BY_CREDITS = "PAID_BY_CREDITS"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class UsageCheck:
    """What would become of a use, the steps of credits that it takes, and why it is refused, if it is."""

    decision: UsageDecision
    needed: int = 0
    reason: str | None = None


async def check_usage(
    reads: Reads, catalog: Catalog, workspace_id: UUID, resource: str, quantity: Decimal
) -> UsageCheck:
    """Whether a workspace may use so much more of a resource, or the level of a gauge rise by it.

    Raises `BadUserInput` for a resource that the catalog lacks and for no quantity, `NotFound` where there is no such workspace.
    """
    if catalog.resource(resource) is None:
        raise BadUserInput("The catalog has no such resource.")
    try:
        check_quantity(quantity)
    except InvalidInput as refusal:
        raise BadUserInput(refusal.message) from None
    usage, balance, waiting = await asyncio.gather(
        read_usage(reads, catalog, workspace_id),
        ledger_reads.balance(reads, workspace_id),
        reads.all_of(usage_read_store.WAITING, workspace_id),
    )
    bar = usage.bar(resource)
    if bar is None:
        raise LookupError(f"no bar of {resource}")
    return _decided(bar, quantity, balance.available, waiting)


def _decided(bar: UsageBar, quantity: Decimal, available: int, waiting: Iterable[WaitingToBePaid]) -> UsageCheck:
    past = _past(bar, quantity)
    if not past:
        return UsageCheck(UsageDecision.WITHIN_ALLOWANCE)
    if bar.price is None:
        return UsageCheck(UsageDecision.REFUSED, reason=_unpayable(bar))
    owed, charged, left = bar.owed, bar.charged, available
    for each in waiting:
        # what is counted already is paid first
        charged_then = max(int(EXACT.add(each.owed, each.value)), each.charged)
        left -= charged_then - each.charged
        if (each.resource, each.period_start) == (bar.resource.code, bar.period.start):
            owed, charged = EXACT.add(each.owed, each.value), charged_then
    needed = max(int(EXACT.add(owed, EXACT.multiply(past, bar.price))) - charged, 0)
    if needed > max(left, 0):
        return UsageCheck(
            UsageDecision.REFUSED,
            needed,
            "There are fewer credits than this takes, but for those held or owed already.",
        )
    return UsageCheck(UsageDecision.PAID_BY_CREDITS, needed)


def _past(bar: UsageBar, quantity: Decimal) -> Decimal:
    """What of a use would lie past the limit; what was used past it before does not count."""
    if bar.limit is None:
        return _NOTHING
    then = EXACT.add(bar.used, quantity)
    return max(_NOTHING, EXACT.subtract(then, max(bar.limit, bar.used)))


def _unpayable(bar: UsageBar) -> str:
    if bar.resource.is_gauge:
        return "This is more than the plan includes, and credits can't pay for it."
    return "This is more than the plan includes in a period, and credits can't pay for it."
