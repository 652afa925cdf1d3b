"""What the provider's subscription is to become, and the next step toward it. Pure: nothing here asks or changes anything.

A change is made step by step, each decided by comparing the goal with what the provider has by then. So a change that a crash
interrupted is finished, or undone, by the same rules that made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from app.billing.subscriptions.plan_choice import (
    PlanChoice,
    billed_quantities,
    choice_as_json,
    choice_from_json,
)
from app.catalog import Catalog, PlanTerms
from app.payments.subscription_values import (
    ChangeBilling,
    ItemChange,
    PhaseLength,
    PricedQuantity,
    ProviderSubscription,
    Schedule,
    SchedulePhase,
    SetEndKind,
    SubscriptionChange,
)

TERMS_ID = "terms_id"
CHANGE_ID = "change_id"
WORKSPACE_ID = "workspace_id"
CHECKOUT_ID = "checkout_id"
"""What the provider's subscription carries of ours as metadata."""


_SAME_MOMENT: Final = timedelta(minutes=1)
_SHORTEST: Final = {"month": timedelta(days=28), "year": timedelta(days=365)}
_DAYLIGHT: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a subscription is to become: what it bills `now` (None: as it does), what from the period's end on, or its end then."""

    now: PlanChoice | None
    later: PlanChoice | None = None
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A subscription as the provider has it, with its schedule while that is active, and the lookup keys of our prices by id."""

    subscription: ProviderSubscription
    schedule: Schedule | None
    lookup_keys: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)

    def lookup_key(self, price_id: str) -> str:
        """The lookup key of a price of ours; its id for any other."""
        return self.lookup_keys.get(price_id, price_id)

    @property
    def period_end(self) -> datetime:
        """When the period ends of the item that ends first."""
        return min(item.period_end for item in self.subscription.items)

    @property
    def period_start(self) -> datetime:
        """When the period began of the item that ends first."""
        return min(self.subscription.items, key=lambda item: item.period_end).period_start

    @property
    def ends_otherwise(self) -> bool:
        """Whether an end is set that is not that of the whole period: a change could not set it again where its payment fails.

        An end within a period cuts the period there.
        """
        ends_at = self.subscription.ends_at
        if ends_at is None:
            return False
        item = min(self.subscription.items, key=lambda each: each.period_end)
        whole = _SHORTEST.get(item.interval, timedelta(0)) * item.interval_count
        is_cut = item.period_end - item.period_start < whole - _DAYLIGHT
        return is_cut or abs(ends_at - item.period_end) > _SAME_MOMENT

    @property
    def next_phase(self) -> SchedulePhase | None:
        """What the schedule changes later; None where it changes nothing any more."""
        if self.schedule is None or self.schedule.phase_started_at is None:
            return None
        started = self.schedule.phase_started_at
        later = [phase for phase in self.schedule.phases if phase.starts_at is not None and phase.starts_at > started]
        return later[0] if later else None

    @property
    def is_schedule_over(self) -> bool:
        """Whether a schedule of ours has made its change, and only holds the subscription as it is."""
        if self.schedule is None or self.next_phase is not None:
            return False
        started = self.schedule.phase_started_at
        current = next((phase for phase in self.schedule.phases if phase.starts_at == started), None)
        return current is not None and CHANGE_ID in current.metadata and len(self.schedule.phases) > 1


@dataclass(frozen=True, slots=True)
class Prices:
    """The provider's ids of the recurring prices, by lookup key, and the catalog whose terms are billed by them."""

    catalog: Catalog
    ids: Mapping[str, str]

    def quantities(self, choice: PlanChoice) -> dict[str, int]:
        """How many of which price bill a choice, by the prices' ids; raises `KeyError` where a price was not synced."""
        return {self.ids[key]: quantity for key, quantity in billed_quantities(self.catalog, choice).items()}


@dataclass(frozen=True, slots=True)
class VoidInvoice:
    """Void the invoice that a pending update waits for, which drops the update."""

    invoice_id: str


@dataclass(frozen=True, slots=True)
class ReleaseSchedule:
    """Let the subscription go on without its schedule."""

    schedule_id: str


@dataclass(frozen=True, slots=True)
class ChangeItems:
    """Change what is billed, at once and charged at once."""

    change: SubscriptionChange
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TakeBackEnd:
    """Let the subscription go on that was set to end."""


@dataclass(frozen=True, slots=True)
class SetEnd:
    """Let the subscription end with its period."""


@dataclass(frozen=True, slots=True)
class CreateSchedule:
    """Attach a schedule that changes nothing yet."""


@dataclass(frozen=True, slots=True)
class SetPhases:
    """Let the schedule change the subscription when its period ends."""

    schedule_id: str
    phases: tuple[SchedulePhase, ...]


Step: TypeAlias = VoidInvoice | ReleaseSchedule | ChangeItems | TakeBackEnd | SetEnd | CreateSchedule | SetPhases


def next_step(
    snapshot: Snapshot, goal: Goal, prices: Prices, *, change_id: str, prorated_at: datetime | None
) -> Step | None:
    """The next step toward the goal; None once it is reached.

    Money first: items are changed, and charged, before anything that was decided for later is given up for good. But a schedule
    would overwrite changed items, and nothing is billed beyond an end that is set. So both are taken away before, and made again
    where the payment fails.
    """
    subscription, schedule = snapshot.subscription, snapshot.schedule
    if subscription.pending_update is not None:
        return VoidInvoice(subscription.latest_invoice_id or "")
    if goal.now is not None and not is_billed(snapshot, goal.now, prices):
        if schedule is not None:
            return ReleaseSchedule(schedule.id)
        if subscription.ends_at is not None:
            return TakeBackEnd()
        change = item_change(snapshot, goal.now, prices, prorated_at=prorated_at)
        return ChangeItems(change, {TERMS_ID: goal.now.terms.id, CHANGE_ID: change_id})
    if goal.ends:
        if subscription.ends_at is not None:
            return None
        return ReleaseSchedule(schedule.id) if schedule is not None else SetEnd()
    if subscription.ends_at is not None:
        return ReleaseSchedule(schedule.id) if schedule is not None else TakeBackEnd()
    return _step_for_later(snapshot, goal, prices, change_id=change_id)


def is_billed(snapshot: Snapshot, choice: PlanChoice, prices: Prices) -> bool:
    """Whether the subscription bills exactly this, on these terms."""
    terms_id = snapshot.subscription.metadata.get(TERMS_ID, choice.terms.id)
    return terms_id == choice.terms.id and _quantities(snapshot.subscription) == prices.quantities(choice)


def item_change(
    snapshot: Snapshot, choice: PlanChoice, prices: Prices, *, prorated_at: datetime | None
) -> SubscriptionChange:
    """The change that makes a subscription bill a choice, charged at once for the rest of the period from `prorated_at` on.

    A price that stays keeps its item, any other item is removed or takes the place of one that goes. The anchor stays.
    """
    wanted = prices.quantities(choice)
    going = [item for item in snapshot.subscription.items if item.price_id not in wanted]
    changes = [
        ItemChange(item.id, item.price_id, wanted.pop(item.price_id))
        for item in snapshot.subscription.items
        if item.price_id in wanted
    ]
    for price_id, quantity in wanted.items():
        item_id = going.pop(0).id if going else None
        changes.append(ItemChange(item_id, price_id, quantity))
    changes += [ItemChange(item.id, item.price_id, 0) for item in going]
    return SubscriptionChange(
        tuple(changes), ChangeBilling.AT_ONCE, prorated_at=prorated_at, taken_back_end=_end_kind(snapshot.subscription)
    )


def _end_kind(subscription: ProviderSubscription) -> SetEndKind | None:
    if subscription.ends_at is None:
        return None
    return SetEndKind.WITH_PERIOD if subscription.ends_at_period_end else SetEndKind.AT_TIME


def _step_for_later(snapshot: Snapshot, goal: Goal, prices: Prices, *, change_id: str) -> Step | None:
    schedule = snapshot.schedule
    if goal.later is None:
        return ReleaseSchedule(schedule.id) if schedule is not None else None
    if schedule is None:
        return CreateSchedule()
    planned = snapshot.next_phase
    wanted = prices.quantities(goal.later)
    if planned is not None and _phase_quantities(planned) == wanted and planned.metadata.get(CHANGE_ID) == change_id:
        return None
    return SetPhases(schedule.id, _phases(snapshot, schedule, goal.later, wanted, change_id=change_id))


def _phases(
    snapshot: Snapshot, schedule: Schedule, later: PlanChoice, wanted: Mapping[str, int], *, change_id: str
) -> tuple[SchedulePhase, ...]:
    """The current phase as it is, and the one that follows when the period ends.

    No card is named: a phase without one lets the customer's default be charged.
    """
    subscription = snapshot.subscription
    current = SchedulePhase(
        items=tuple(PricedQuantity(item.price_id, item.quantity) for item in subscription.items),
        starts_at=schedule.phase_started_at,
        ends_at=snapshot.period_end,
        tax_rate_ids=subscription.tax_rate_ids,
        card_id=subscription.default_card_id,
        metadata=subscription.metadata,
    )
    assert later.interval is not None, "what costs nothing has no phase: the subscription ends instead"
    following = SchedulePhase(
        items=tuple(PricedQuantity(price_id, quantity) for price_id, quantity in wanted.items()),
        ends_at=PhaseLength(later.interval.name),
        restarts_period=any(item.interval != later.interval.value for item in subscription.items),
        tax_rate_ids=subscription.tax_rate_ids,
        metadata={TERMS_ID: later.terms.id, CHANGE_ID: change_id},
    )
    return current, following


def _quantities(subscription: ProviderSubscription) -> dict[str, int]:
    return dict(Counter({item.price_id: item.quantity for item in subscription.items}))


def _phase_quantities(phase: SchedulePhase) -> dict[str, int]:
    return {item.price_id: item.quantity for item in phase.items}


def goal_as_json(goal: Goal) -> dict[str, Any]:
    """A goal as it is kept."""
    return {
        "now": choice_as_json(goal.now) if goal.now is not None else None,
        "later": choice_as_json(goal.later) if goal.later is not None else None,
        "ends": goal.ends,
    }


def goal_from_json(kept: Mapping[str, Any], terms: Mapping[str, PlanTerms]) -> Goal:
    """The goal that was kept; `terms` are by their ids, those it names among them."""

    def choice(name: str) -> PlanChoice | None:
        found = kept[name]
        return choice_from_json(found, terms[found["terms_id"]]) if found is not None else None

    return Goal(choice("now"), choice("later"), kept["ends"])


def terms_ids_of(kept: Mapping[str, Any]) -> set[str]:
    """The ids of the terms that a kept goal names."""
    return {kept[name]["terms_id"] for name in ("now", "later") if kept[name] is not None}
