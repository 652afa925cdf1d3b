"""Billing details: whom a workspace's invoices are made out to."""

from collections.abc import Sequence
from typing import Self

import strawberry

from app.payments.billing_detail_values import TaxIdStatus
from app.store.billing_details import Details, ShownTaxId
from schema.enums import described

described(
    TaxIdStatus,
    "What was found out about a tax id.",
    {
        TaxIdStatus.PENDING: "It is being looked up. Until that is through, tax is charged.",
        TaxIdStatus.VERIFIED: "It is somebody's.",
        TaxIdStatus.UNVERIFIED: "It is nobody's.",
        TaxIdStatus.UNAVAILABLE: "It can't be looked up, or not now.",
    },
)


@strawberry.type(description="A billing address.")
class Address:
    line1: str | None = strawberry.field(description="Street and number.")
    line2: str | None = strawberry.field(description="More of it.")
    city: str | None = strawberry.field(description="City or town.")
    state: str | None = strawberry.field(description="State or province, where addresses have one.")
    postal_code: str | None = strawberry.field(description="Postal code.")
    country: str | None = strawberry.field(description="Two letters, as in ISO 3166.")


@strawberry.type(description="A number by which a tax office knows a business.")
class TaxId:
    type: str = strawberry.field(description="What it is, as Stripe names it, such as eu_vat.")
    value: str = strawberry.field(description="The number.")
    status: TaxIdStatus = strawberry.field(description="What was found out about it.")


@strawberry.type(
    description=(
        "Whom the invoices are made out to, as said here or on a page of Stripe's. Where name or email is null, invoices have the "
        "workspace's name and an owner's address."
    )
)
class BillingDetails:
    name: str | None = strawberry.field(description="The name on invoices.")
    email: str | None = strawberry.field(description="The address that Stripe mails about invoices.")
    address: Address | None = strawberry.field(description="The billing address; null where none is known.")
    tax_ids: list[TaxId] = strawberry.field(description="The tax ids, the oldest first.")

    @classmethod
    def of(cls, details: Details | None, tax_ids: Sequence[ShownTaxId]) -> Self:
        """The API's view of what is kept."""
        has_address = details is not None and details.country is not None
        return cls(
            name=details.name if details is not None else None,
            email=details.email if details is not None else None,
            address=Address(
                line1=details.line1,
                line2=details.line2,
                city=details.city,
                state=details.state,
                postal_code=details.postal_code,
                country=details.country,
            )
            if details is not None and has_address
            else None,
            tax_ids=[
                TaxId(type=each.kind, value=each.value, status=TaxIdStatus(each.status))
                for each in sorted(tax_ids, key=lambda each: (each.created_at, each.id))
            ],
        )
