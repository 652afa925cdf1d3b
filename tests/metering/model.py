"""Usage as it should be, counted by a plain model: exact fractions, no database, one event after the other."""

from __future__ import annotations

import calendar
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from app.metering.usage_events import UsageEvent

_MOMENT = timedelta(microseconds=1)
RESOURCES = ("sessions", "enrichments")
# what each plan of the analytics catalog includes in a month, and the tokens that one past it costs
INCLUDED: dict[str, dict[str, int | None]] = {
    "free": {"sessions": 1_000, "enrichments": 100},
    "personal": {"sessions": 10_000, "enrichments": 1_000},
    "team": {"sessions": 100_000, "enrichments": 10_000},
    "enterprise": {"sessions": None, "enrichments": None},
}
PRICES: dict[str, dict[str, int | None]] = {
    "free": {"sessions": None, "enrichments": 500},
    "personal": {"sessions": None, "enrichments": 500},
    "team": {"sessions": None, "enrichments": 500},
    "enterprise": {"sessions": None, "enrichments": None},
}


@dataclass
class Counter:
    """What a period says of a resource."""

    allowance: Fraction | None
    price: int | None
    used: Fraction = Fraction(0)
    overage: Fraction = Fraction(0)
    unpaid: Fraction = Fraction(0)
    owed: Fraction = Fraction(0)
    charged: int = 0


@dataclass
class Model:
    """A workspace that was made at a time, with credits."""

    created_at: datetime
    plan: str = "free"
    credits: int = 0
    known: set[str] = field(default_factory=set[str])
    counters: dict[tuple[datetime, str], Counter] = field(default_factory=dict[tuple[datetime, str], Counter])
    by_subject: dict[str, Fraction] = field(default_factory=dict[str, Fraction])

    def record(self, event: UsageEvent, now: datetime) -> str:
        """What becomes of one event: counted, known, or refused."""
        if event.event_id in self.known:
            return "known"
        at = event.occurred_at or now
        if at < now - timedelta(days=30) or at > now + timedelta(minutes=5) or event.quantity < 0:
            return "refused"
        self.known.add(event.event_id)
        self._use(self._counter(at, event.resource), Fraction(event.quantity))
        if event.subject is not None and event.resource == "enrichments":
            self.by_subject[event.subject] = self.by_subject.get(event.subject, Fraction(0)) + Fraction(event.quantity)
        return "counted"

    def change_plan(self, plan: str, now: datetime) -> None:
        """The workspace is on another plan."""
        start, end = self._period(now)
        period = start
        for _ in range(3):
            # what was sold in a period is what it had, for events that come late
            for resource in RESOURCES:
                self._counter(period, resource)
            period = self._period(period - _MOMENT)[0]
        for resource in RESOURCES:
            for (began, name), counter in self.counters.items():
                if name == resource and began > start:
                    counter.allowance, counter.price = _fraction(INCLUDED[plan][resource]), PRICES[plan][resource]
            counter = self.counters[start, resource]
            before, after = INCLUDED[self.plan][resource], INCLUDED[plan][resource]
            if before is not None and after is not None and counter.allowance is not None and after > before:
                left = Fraction((end - now) // _MOMENT, (end - start) // _MOMENT)
                gained = min(after - before, math.ceil((after - before) * left))
                counter.allowance = max(counter.allowance, counter.used) + gained
            elif before != after:
                counter.allowance = _fraction(after)
            counter.price = PRICES[plan][resource]
        self.plan = plan

    def _use(self, counter: Counter, quantity: Fraction) -> None:
        past = Fraction(0)
        if counter.allowance is not None:
            past = max(Fraction(0), counter.used + quantity - max(counter.allowance, counter.used))
        counter.used += quantity
        counter.overage += past
        if counter.price is None:
            counter.unpaid += past
            return
        counter.owed += past * counter.price
        want = math.floor(counter.owed) - counter.charged
        paid = min(want, self.credits)
        self.credits -= paid
        counter.charged += paid
        counter.unpaid += Fraction(want - paid, counter.price)
        counter.owed -= want - paid

    def _counter(self, at: datetime, resource: str) -> Counter:
        key = self._period(at)[0], resource
        if key not in self.counters:
            self.counters[key] = Counter(_fraction(INCLUDED[self.plan][resource]), PRICES[self.plan][resource])
        return self.counters[key]

    def _period(self, at: datetime) -> tuple[datetime, datetime]:
        months = -3
        while _later(self.created_at, months + 1) <= at:
            months += 1
        return _later(self.created_at, months), _later(self.created_at, months + 1)


def _fraction(number: int | None) -> Fraction | None:
    return Fraction(number) if number is not None else None


def _later(moment: datetime, months: int) -> datetime:
    year, month = moment.year + (moment.month - 1 + months) // 12, (moment.month - 1 + months) % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
