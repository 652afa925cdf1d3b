"""Payment methods: the cards on file."""

from enum import Enum
from typing import Self

import strawberry

from app.db.tables.payments import CardRow
from app.ids import GlobalId
from app.store.billing_accounts import Card
from schema.enums import described
from schema.node_interface import Node


class PaymentMethodKind(Enum):
    """What kind of payment method it is."""

    CARD = "CARD"
    OTHER = "OTHER"


described(
    PaymentMethodKind,
    "What kind of payment method it is.",
    {PaymentMethodKind.CARD: "A credit or debit card.", PaymentMethodKind.OTHER: "Anything else, saved elsewhere."},
)


@strawberry.type(description="A card on file.")
class PaymentMethod(Node):
    kind: PaymentMethodKind = strawberry.field(description="What kind of payment method it is.")
    brand: str | None = strawberry.field(description="Its brand as Stripe names it, e.g. visa.")
    last4: str | None = strawberry.field(description="The last four digits.")
    exp_month: int | None = strawberry.field(description="The month it expires in, 1 to 12.")
    exp_year: int | None = strawberry.field(description="The year it expires in, with four digits.")
    is_default: bool = strawberry.field(description="Whether it is charged when no other is named.")

    @classmethod
    def of(cls, card: Card | CardRow) -> Self:
        """The API's view of a mirrored card."""
        return cls(
            id=strawberry.ID(str(GlobalId("PaymentMethod", card.id, card.workspace_id))),
            kind=PaymentMethodKind.CARD,
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            is_default=card.is_default,
        )
