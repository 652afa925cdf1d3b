"""Usage: a bar for each resource, what is used and of how much, who used it, and whether more may be used."""

from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Context as DecimalContext
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Final, Self
from uuid import UUID

import strawberry

from app.errors import BadUserInput
from app.ids import GlobalId
from app.metering import bars as usage_bars
from app.metering import usage_check
from app.metering.bars import CRITICAL_PERCENT, EXCEEDED_PERCENT, WARNING_PERCENT, UsageLevel
from app.metering.usage_check import UsageDecision
from app.metering.usage_series import DailyUse
from app.metering.use_by_subject import SubjectUse
from app.money import CreditUnit
from resolvers import usage
from resolvers.context import Info
from resolvers.pagination import MOST_ROWS, page_size
from resolvers.selection import arguments_below
from resolvers.usage import USUAL_SUBJECTS, UsageRequest
from schema.catalog import UsageResource
from schema.enums import described
from schema.money import Period
from schema.node_interface import Node
from schema.scalars import BigInt

described(
    UsageLevel,
    "How near a bar is to its limit.",
    {
        UsageLevel.NORMAL: f"Below {WARNING_PERCENT} % of the limit, or without one.",
        UsageLevel.WARNING: f"From {WARNING_PERCENT} % on.",
        UsageLevel.CRITICAL: f"From {CRITICAL_PERCENT} % on.",
        UsageLevel.EXCEEDED: f"From {EXCEEDED_PERCENT} % on, and where nothing is included from the first use on.",
    },
)
described(
    UsageDecision,
    "What would become of a use.",
    {
        UsageDecision.WITHIN_ALLOWANCE: "The plan includes it.",
        UsageDecision.PAID_BY_CREDITS: "It goes past what the plan includes, and there are credits that pay for it.",
        UsageDecision.REFUSED: (
            "It goes past what the plan includes, and nothing pays for all of it. Used all the same, it is counted, paid as far "
            "as credits go, and the rest is unpaidOverage."
        ),
    },
)

# sums of quantities may have more digits than the decimals of Python keep by default
_EXACT: Final = DecimalContext(prec=100)


def _plain(quantity: Decimal) -> Decimal:
    """A quantity without zeros at its end, which say nothing."""
    return _EXACT.normalize(quantity)


# the bars of a page have the same days
@lru_cache(maxsize=1_000)
def _beginning(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@strawberry.type(description="What was used on a day.")
class UsagePoint:
    day: datetime = strawberry.field(description="The day, by its beginning in UTC.")
    used: Decimal = strawberry.field(description="What was used on it; of a gauge the level at its end, or now.")

    @classmethod
    def of(cls, use: DailyUse) -> Self:
        """The API's view of a day."""
        return cls(day=_beginning(use.day), used=_plain(use.used))


@strawberry.type(description="How much of a resource a subject used in the period.")
class SubjectUsage:
    subject: str | None = strawberry.field(
        description=(
            "Who or what used it, by the host product's own id; null for use without a subject, or by one that was erased."
        )
    )
    used: Decimal = strawberry.field(description="How much; of a gauge its level.")
    credits_spent: Decimal = strawberry.field(description="The credits that paid for what of it went past the limit.")

    @classmethod
    def of(cls, use: SubjectUse, unit: CreditUnit) -> Self:
        """The API's view of a subject's use."""
        return cls(subject=use.subject, used=_plain(use.used), credits_spent=unit.from_steps(use.charged))


@strawberry.type(description="How much of a resource is used in the running usage period, and of how much.")
class UsageBar(Node):
    bar: strawberry.Private[usage_bars.UsageBar]
    counted_in: strawberry.Private[CreditUnit]
    shows_billing: strawberry.Private[bool]
    resource: UsageResource = strawberry.field(description="What is used.")

    @strawberry.field(description="How much: of a counter in this period, of a gauge its level now.")
    def used(self) -> Decimal:
        return _plain(self.bar.used)

    @strawberry.field(
        description=(
            "What the plan includes, null without a limit. After an upgrade within the period a counter has the added part for the "
            "share of it that is left."
        )
    )
    def limit(self) -> Decimal | None:
        return _plain(self.bar.limit) if self.bar.limit is not None else None

    @strawberry.field(description="What is left of the limit, never below zero; null without a limit.")
    def remaining(self) -> Decimal | None:
        left = self.bar.remaining
        return _plain(left) if left is not None else None

    @strawberry.field(
        description="What part of the limit is used; may pass one. Null without a limit, and where nothing is included."
    )
    def ratio(self) -> float | None:
        ratio = self.bar.ratio
        return float(ratio) if ratio is not None else None

    @strawberry.field(description="How near the limit is.")
    def level(self) -> UsageLevel:
        return self.bar.level

    @strawberry.field(
        description=(
            "Use past the limit. Of a counter, that in this period, as the limit was when it was counted; of a gauge, what its "
            "level is above the limit."
        )
    )
    def overage(self) -> Decimal:
        return _plain(self.bar.overage)

    @strawberry.field(description="The credits that paid for overage in this period. Null without VIEW_BILLING.")
    def credits_spent(self) -> Decimal | None:
        return self.counted_in.from_steps(self.bar.charged) if self.shows_billing else None

    @strawberry.field(
        description=(
            "The part of the overage that nothing paid for, and that is not collected later. Overage that was counted a moment ago "
            "may be neither here nor in creditsSpent yet."
        )
    )
    def unpaid_overage(self) -> Decimal:
        return _plain(self.bar.unpaid)

    @strawberry.field(description="When it starts anew; null for a gauge, which keeps its level.")
    def resets_at(self) -> datetime | None:
        return self.bar.resets_at

    @strawberry.field(
        description=(
            "Use per day (in UTC) of the period so far, oldest first, days without use too. A gauge keeps its level until the next "
            "report."
        )
    )
    def series(self) -> list[UsagePoint]:
        return [UsagePoint.of(use) for use in self.bar.series]

    @strawberry.field(
        description=(
            "Who or what used it in this period, the most first; use without a subject, and by erased ones, is under null. An "
            "empty list without VIEW_BILLING."
        )
    )
    async def subjects(
        self,
        info: Info,
        first: Annotated[
            int | None, strawberry.argument(description=f"At most so many; at most {MOST_ROWS}.")
        ] = USUAL_SUBJECTS,
    ) -> list[SubjectUsage]:
        if not self.shows_billing:
            return []
        return [SubjectUsage.of(use, self.counted_in) for use in await usage.most_use(info.context, self.bar, first)]

    @classmethod
    def of(cls, bar: usage_bars.UsageBar, unit: CreditUnit, *, sees_billing: bool) -> Self:
        """The API's view of a bar; whoever doesn't see the workspace's billing sees no money in it."""
        return cls(
            bar=bar,
            counted_in=unit,
            shows_billing=sees_billing,
            id=strawberry.ID(str(GlobalId("UsageBar", bar.resource.code, bar.workspace_id))),
            resource=UsageResource.of(bar.resource),
        )


@strawberry.type(
    description=(
        "What a workspace uses in the running usage period: a month, also on yearly plans. Months are counted from a day that is "
        "set when the workspace is made; its first subscription moves that day to its own, by lengthening the running period."
    )
)
class Usage(Node):
    usage: strawberry.Private[usage_bars.Usage]
    counted_in: strawberry.Private[CreditUnit]
    shows_billing: strawberry.Private[bool]
    workspace_id: strawberry.ID = strawberry.field(description="Whose.")
    period: Period = strawberry.field(description="The running usage period.")
    version: BigInt = strawberry.field(
        description="Rises by one or more with every change, and with each period: a client keeps the highest it has seen."
    )

    @strawberry.field(description="A bar for each resource of the catalog, in its order.")
    def bars(self) -> list[UsageBar]:
        return [UsageBar.of(bar, self.counted_in, sees_billing=self.shows_billing) for bar in self.usage.bars]

    @classmethod
    def of(cls, usage: usage_bars.Usage, unit: CreditUnit, *, sees_billing: bool) -> Self:
        """The API's view of a usage; whoever doesn't see the workspace's billing sees no money in it."""
        return cls(
            usage=usage,
            counted_in=unit,
            shows_billing=sees_billing,
            id=strawberry.ID(str(GlobalId("Usage", usage.workspace_id))),
            workspace_id=strawberry.ID(str(GlobalId("Workspace", usage.workspace_id))),
            period=Period(start=usage.period.start, end=usage.period.end),
            version=BigInt(usage.version),
        )


async def read_usage(info: Info, workspace_id: UUID, *, sees_billing: bool) -> Usage:
    """A workspace's usage with what of it is selected, all of one moment, for callers whose rights were checked."""
    with_series = bool(arguments_below(info, ("Usage", "bars"), ("UsageBar", "series")))
    subjects = 0
    if sees_billing:
        for given in arguments_below(info, ("Usage", "bars"), ("UsageBar", "subjects")):
            # what is asked for wrongly is refused where it stands
            with suppress(BadUserInput):
                subjects = max(subjects, page_size(given.get("first"), usual=USUAL_SUBJECTS))
    found = await usage.usage_of(info.context, workspace_id, UsageRequest(with_series, subjects))
    return Usage.of(found, info.context.runtime.catalog.credit_unit, sees_billing=sees_billing)


@strawberry.type(description="Whether so much may be used, and what would pay for it. Nothing is set aside.")
class UsageCheck:
    decision: UsageDecision = strawberry.field(description="What would become of it.")
    credits_needed: Decimal = strawberry.field(
        description=(
            "The credits that it takes; zero where the plan includes it, where credits can't pay for it, and for users without "
            "VIEW_BILLING."
        )
    )
    reason: str | None = strawberry.field(description="Why it is refused, for people; null where it is not.")

    @classmethod
    def of(cls, check: usage_check.UsageCheck, unit: CreditUnit) -> Self:
        """The API's view of a check."""
        return cls(decision=check.decision, credits_needed=unit.from_steps(check.needed), reason=check.reason)


@strawberry.type
class UsageQuery:
    @strawberry.field(
        description=(
            "May this much be used now, and what would pay for it? For all who see the workspace. Reads only: ask before the work, "
            "and hold credits where it must not happen unpaid."
        )
    )
    async def usage_check(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose use.")],
        resource: Annotated[str, strawberry.argument(description="The code of the resource.")],
        quantity: Annotated[
            Decimal,
            strawberry.argument(
                description="How much more of a counter, or by how much the level of a gauge would rise; never negative."
            ),
        ],
    ) -> UsageCheck:
        found = await usage.usage_check(info.context, workspace_id, resource, quantity)
        return UsageCheck.of(found, info.context.runtime.catalog.credit_unit)
