"""Money and time spans."""

from datetime import datetime
from decimal import Decimal
from typing import Self

import strawberry

from app import money


@strawberry.type(description="An exact amount in a currency.")
class Money:
    in_minor: strawberry.Private[int]
    currency: str = strawberry.field(description="ISO 4217 code in upper case, e.g. EUR.")

    @strawberry.field(description="In whole units, with the currency's number of digits after the point.")
    def amount(self) -> Decimal:
        return money.from_steps(self.in_minor, money.fraction_digits(self.currency))

    @classmethod
    def of(cls, value: money.Money) -> Self:
        """The API's view of an amount."""
        return cls(in_minor=value.minor, currency=value.currency)

    @classmethod
    def minor(cls, minor: int, currency: str) -> Self:
        """The API's view of `minor` smallest units of `currency`."""
        return cls(in_minor=minor, currency=currency)


@strawberry.type(description="A span of time: the start belongs to it, the end no longer does.")
class Period:
    start: datetime = strawberry.field(description="When it begins.")
    end: datetime = strawberry.field(description="When it is over.")
