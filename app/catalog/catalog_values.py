"""What is sold beside and around plans: credits, tax, and the catalog that holds it all. Immutable once loaded.

Credits are whole numbers of the credit unit's smallest step, money is `Money`; nothing here reads a file or talks to Stripe.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.catalog.plan_values import AddOn, Plan, Resource
from app.errors import InvalidInput
from app.money import CreditUnit, Money, fraction_digits

_AMOUNT_PATH = ("input", "amount")


class TaxMode(StrEnum):
    """Where tax comes from: there is none, or the catalog names fixed rates."""

    OFF = "off"
    RATES = "rates"


class SeatMode(StrEnum):
    """What happens when someone joins and no seat is free: they are refused, or a seat is bought."""

    MANUAL = "manual"
    AUTOMATIC = "automatic"


class AutoRechargeTrigger(StrEnum):
    """When a balance is low: under the threshold, or already at it."""

    BELOW = "below"
    AT_OR_BELOW = "at_or_below"


class AutoRechargeMode(StrEnum):
    """What auto-recharge buys: one pack, or whatever fills the balance up to a target."""

    PACK = "pack"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPack:
    """`credits` steps of the credit unit for a fixed price (before tax where tax comes on top)."""

    code: str
    name: str
    credits: int
    price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRecharge:
    """Any amount from `minimum` to `maximum` buys `credits_per_currency_unit` credits per whole unit of the currency.

    `steps_per_minor` says the same exactly: how many steps of the credit unit one minor unit of the currency buys.
    """

    minimum: Money
    maximum: Money
    credits_per_currency_unit: Decimal
    steps_per_minor: int

    def credits_for(self, amount: Money) -> int:
        """The steps of credit that `amount` buys, exactly.

        Raises `InvalidInput` naming the bounds for an amount outside them or in another currency.
        """
        if amount.currency != self.minimum.currency or not self.minimum.minor <= amount.minor <= self.maximum.minor:
            raise InvalidInput(
                f"Choose an amount from {self.minimum.amount} to {self.maximum}.",
                path=_AMOUNT_PATH,
            )
        return amount.minor * self.steps_per_minor

    def amount_for(self, steps: int) -> Money:
        """The smallest amount that buys at least `steps` steps, raised to the minimum and cut off at the maximum."""
        minor = -(-steps // self.steps_per_minor)
        return Money(min(max(minor, self.minimum.minor), self.maximum.minor), self.minimum.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoRechargeTerms:
    """How auto-recharge works here and what its form starts with; exactly one of the default pack and target is set."""

    trigger: AutoRechargeTrigger
    mode: AutoRechargeMode
    default_threshold: int
    default_pack: str | None
    default_target: int | None
    default_spending_limit: Money

    def is_due(self, balance: int, threshold: int) -> bool:
        """Whether a balance (in steps) is low enough to recharge."""
        return balance < threshold or (self.trigger is AutoRechargeTrigger.AT_OR_BELOW and balance == threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class WelcomeBonusTerms:
    """A one-time gift of `credits` steps that expires `expires_in_days` days after it was claimed."""

    credits: int
    expires_in_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRate:
    """A fixed tax rate; `country` (ISO 3166, two letters) limits it to customers there, None is for everyone else."""

    name: str
    percent: Decimal
    inclusive: bool
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxPolicy:
    """How sales are taxed.

    With `reverse_charge`, businesses with a valid tax id outside `home_country` account for the tax themselves.
    """

    mode: TaxMode
    rates: tuple[TaxRate, ...] = ()
    reverse_charge: bool = False
    home_country: str | None = None

    @property
    def needs_address(self) -> bool:
        """Whether the tax can't be known without the customer's country."""
        return any(rate.country for rate in self.rates)

    def rate_for(self, country: str | None) -> TaxRate | None:
        """The rate for a customer in `country` (None: unknown); None where no tax is due."""
        own = next((rate for rate in self.rates if rate.country == country), None)
        return own or next((rate for rate in self.rates if rate.country is None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything one product sells, and on what terms. Look-ups by code answer None for a code that isn't there."""

    code: str
    name: str
    currency: str
    prices_include_tax: bool
    tax: TaxPolicy
    plans: tuple[Plan, ...]
    fallback_plan_code: str
    resources: tuple[Resource, ...]
    credit_unit: CreditUnit
    packs: tuple[CreditPack, ...]
    custom_recharge: CustomRecharge | None
    auto_recharge: AutoRechargeTerms
    welcome_bonus: WelcomeBonusTerms | None
    phone_required: bool
    seat_mode: SeatMode
    automatic_seats_cap: int | None
    grace_days: int
    add_ons: tuple[AddOn, ...]

    def plan(self, code: str) -> Plan | None:
        """The plan with this code, legacy ones included."""
        return next((plan for plan in self.plans if plan.code == code), None)

    def pack(self, code: str) -> CreditPack | None:
        """The credit pack with this code."""
        return next((pack for pack in self.packs if pack.code == code), None)

    def resource(self, code: str) -> Resource | None:
        """The metered resource with this code."""
        return next((resource for resource in self.resources if resource.code == code), None)

    @property
    def fallback_plan(self) -> Plan:
        """The plan of every workspace that has no other: it costs nothing."""
        return next(plan for plan in self.plans if plan.code == self.fallback_plan_code)

    @property
    def trial_plan(self) -> Plan | None:
        """The plan whose free trial starts by itself; None where the catalog offers no trial."""
        return next((plan for plan in self.plans if plan.trial), None)

    def credits_for(self, amount: Money) -> int:
        """The steps of credit that a custom amount buys; raises `InvalidInput` outside the bounds or if only packs are sold."""
        if self.custom_recharge is None:
            raise InvalidInput("Credits are sold in packs only: choose one.", path=_AMOUNT_PATH)
        return self.custom_recharge.credits_for(amount)


def steps_per_minor(credits_per_currency_unit: Decimal, unit: CreditUnit, currency: str) -> int | None:
    """How many steps of `unit` one minor unit of `currency` buys; None if that isn't a whole number above zero."""
    steps, rest = divmod(unit.to_steps(credits_per_currency_unit), 10 ** fraction_digits(currency))
    return None if rest or not steps else steps
