"""Exact amounts: money in a currency's smallest unit, credits in their unit's smallest step. Nothing here is ever a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from app.errors import InvalidInput

# Currencies that Stripe counts without, or with three, fraction digits; all others have two. ISK and UGX are among those with two,
# though nothing smaller than a whole one is charged: Stripe counts 5,000 shillings as 500000.
_ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())

MAX_STEPS = 2**63 - 1

EXACT: Final = Context(prec=100)
"""Decimals of more digits than any quantity times any price has: Python's own context would round them."""


def fraction_digits(currency: str) -> int:
    """How many digits after the point an amount in `currency` (ISO 4217, upper case) has."""
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def to_steps(amount: Decimal, decimals: int, *, path: tuple[str, ...] | None = None) -> int:
    """`amount` as a whole number of steps of 10^-`decimals`.

    Raises `InvalidInput` when it has more digits after the point than that, or is beyond 64 bits.
    """
    sign, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int):
        raise InvalidInput("The amount must be a finite number.", path=path)
    if not any(digits):
        return 0
    # Judged by its length first: ten to the power of any exponent could take for ever to compute.
    shift = exponent + decimals
    kept = len(digits) + shift
    if kept > len(str(MAX_STEPS)):
        raise InvalidInput("The amount is too large.", path=path)
    if shift < 0 and any(digits[max(kept, 0) :]):
        limit = f"may have at most {decimals} digits after the point" if decimals else "must be a whole number"
        raise InvalidInput(f"The amount {limit}.", path=path)
    steps = int("".join(map(str, digits[:kept]))) * 10 ** max(shift, 0)
    if steps > MAX_STEPS:
        raise InvalidInput("The amount is too large.", path=path)
    return -steps if sign else steps


def from_steps(steps: int, decimals: int) -> Decimal:
    """The amount that `steps` steps of 10^-`decimals` make, with exactly `decimals` digits after the point."""
    return Decimal(steps).scaleb(-decimals) if decimals else Decimal(steps)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency.

    `minor` counts the currency's smallest unit (cents), `currency` is ISO 4217 in upper case.
    """

    minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        """The amount in whole units, with the currency's number of digits after the point."""
        return from_steps(self.minor, fraction_digits(self.currency))

    @classmethod
    def of(cls, amount: Decimal, currency: str, *, path: tuple[str, ...] | None = None) -> Money:
        """`amount` whole units of `currency`; raises `InvalidInput` for more digits than it has."""
        return cls(to_steps(amount, fraction_digits(currency), path=path), currency)

    def __str__(self) -> str:
        """The amount as people read it, such as `12.50 EUR`."""
        return f"{self.amount} {self.currency}"

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} can't be added")
        return Money(self.minor + other.minor, self.currency)


@dataclass(frozen=True, slots=True)
class CreditUnit:
    """What credits are counted in: `code` such as `tokens` or `USD`, with `decimals` digits after the point."""

    code: str
    name: str
    decimals: int

    def to_steps(self, amount: Decimal, *, path: tuple[str, ...] | None = None) -> int:
        """`amount` credits in steps; raises `InvalidInput` for more digits than the unit has."""
        return to_steps(amount, self.decimals, path=path)

    def from_steps(self, steps: int) -> Decimal:
        """`steps` as an amount of credits with the unit's number of digits after the point."""
        return from_steps(steps, self.decimals)

    def text(self, steps: int) -> str:
        """`steps` as people read an amount of credits: `1,000,000 tokens`, `10 US dollars`, `10.50 US dollars`."""
        whole, _, fraction = f"{self.from_steps(steps):,f}".partition(".")
        fraction = fraction.rstrip("0")
        # as prices have them
        fraction = fraction.ljust(min(2, self.decimals), "0") if fraction else ""
        return f"{whole}.{fraction} {self.name}" if fraction else f"{whole} {self.name}"
