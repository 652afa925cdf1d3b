"""Plans and what they are made of: prices, seats, allowances, add-ons. Immutable once loaded; money is `Money`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.money import Money


class PlanKind(StrEnum):
    """How a plan earns money: not at all, by credits alone, by a recurring price, or by a contract."""

    FREE = "free"
    PAY_AS_YOU_GO = "pay_as_you_go"
    STANDARD = "standard"
    ENTERPRISE = "enterprise"


class BillingInterval(StrEnum):
    """How often a recurring price is charged."""

    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPrice:
    """What a plan costs per `interval`: `base`, plus `per_seat` for each seat beyond those included."""

    interval: BillingInterval
    base: Money
    per_seat: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatPolicy:
    """How many seats a plan has.

    `included` come with the base price. On a plan billed per seat, between `minimum` and `maximum` (None: no bound) can be
    had in all; on any other plan all three are equal.
    """

    included: int
    minimum: int
    maximum: int | None
    is_per_seat: bool

    def billable(self, seats: int) -> int:
        """How many of `seats` the per-seat price is charged for."""
        return max(0, seats - self.included) if self.is_per_seat else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a plan includes of a resource.

    `limit` is per usage period for a counter and the highest level for a gauge, None is unlimited. `credits_per_unit`, in
    credits (not steps), pays for use past the limit; None: credits can't pay for it.
    """

    resource: str
    limit: Decimal | None
    credits_per_unit: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOn:
    """A counted extra, billed per unit with the subscription; at most `maximum` of it (None: no bound)."""

    code: str
    name: str
    monthly: Money
    yearly: Money
    maximum: int | None = None

    def price(self, interval: BillingInterval) -> Money:
        """What one unit costs per `interval`."""
        return self.monthly if interval is BillingInterval.MONTH else self.yearly


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOnQuantity:
    """So many of an add-on."""

    code: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTerms:
    """A free trial of a plan that starts by itself: how many days, and what can be used meanwhile."""

    days: int
    seats: int
    add_ons: tuple[AddOnQuantity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTransition:
    """Where customers of a legacy plan can move to, and what they are told."""

    to: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a workspace can be on. `rank` decides between upgrade and downgrade: higher is more."""

    code: str
    name: str
    kind: PlanKind
    rank: int
    seats: SeatPolicy
    prices: tuple[PlanPrice, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    add_ons: tuple[AddOn, ...] = ()
    description: str | None = None
    features: tuple[str, ...] = ()
    requests_per_second: int | None = None
    monthly_spend_limit: Money | None = None
    trial: TrialTerms | None = None
    contact_url: str | None = None
    transition: PlanTransition | None = None

    @property
    def is_legacy(self) -> bool:
        """Whether the plan can no longer be bought, only left."""
        return self.transition is not None

    @property
    def trial_days(self) -> int | None:
        """How many days the plan can be tried for free; None without a trial."""
        return self.trial.days if self.trial else None

    def price(self, interval: BillingInterval) -> PlanPrice | None:
        """The price per `interval`; None where the plan isn't sold so."""
        return next((price for price in self.prices if price.interval is interval), None)

    def allowance(self, resource: str) -> Allowance | None:
        """What the plan includes of a resource; None for a resource that its terms don't know, which means nothing."""
        return next((allowance for allowance in self.allowances if allowance.resource == resource), None)

    def add_on(self, code: str) -> AddOn | None:
        """The add-on that can be had with this plan; None if it can't."""
        return next((add_on for add_on in self.add_ons if add_on.code == code), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something that is metered: a counter, which starts anew each usage period, or a gauge, which keeps its level."""

    code: str
    name: str
    unit: str
    is_gauge: bool
    description: str | None = None
