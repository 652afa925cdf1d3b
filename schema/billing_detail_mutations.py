"""Changing billing details, and the page of Stripe's portal."""

from typing import Annotated, Any

import strawberry

from app.accounts.workspaces.partial_changes import UNCHANGED
from app.billing.payments.billing_details import (
    ADDRESS_PARTS,
    MOST_ADDRESS_CHARACTERS,
    MOST_NAME_CHARACTERS,
    MOST_TAX_ID_CHARACTERS,
    MOST_TAX_IDS,
    DetailsChange,
    TaxIdGiven,
)
from app.wording import count, number
from resolvers import billing_detail_mutations
from resolvers.context import Info
from schema.input_texts import EMAIL_FORM
from schema.subscription_mutations import RedirectPayload
from schema.user_errors import answer
from schema.workspaces import WorkspacePayload

_PART = f"At most {count(MOST_ADDRESS_CHARACTERS, 'character')}; null clears it."


@strawberry.input(description="A billing address. An absent part stays as it is.")
class AddressInput:
    line1: str | None = strawberry.field(default=strawberry.UNSET, description=f"Street and number. {_PART}")
    line2: str | None = strawberry.field(default=strawberry.UNSET, description=f"More of it. {_PART}")
    city: str | None = strawberry.field(default=strawberry.UNSET, description=f"City or town. {_PART}")
    state: str | None = strawberry.field(default=strawberry.UNSET, description=f"State or province. {_PART}")
    postal_code: str | None = strawberry.field(default=strawberry.UNSET, description=f"Postal code. {_PART}")
    country: str | None = strawberry.field(
        default=strawberry.UNSET, description="Two letters, as in ISO 3166. Every address has one."
    )


@strawberry.input(description="A number by which a tax office knows a business.")
class TaxIdInput:
    type: str = strawberry.field(description="What it is, as Stripe names it, such as eu_vat.")
    value: str = strawberry.field(
        description=f"The number, at most {count(MOST_TAX_ID_CHARACTERS, 'character')}. Blanks within a VAT id don't count."
    )


@strawberry.input(description="Whom the invoices are to be made out to. An absent field stays as it is.")
class UpdateBillingDetailsInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace.")
    name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            f"The name on invoices: one line, at most {count(MOST_NAME_CHARACTERS, 'character')}; null: the workspace's name."
        ),
    )
    email: str | None = strawberry.field(
        default=strawberry.UNSET, description=f"For Stripe's mails: {EMAIL_FORM}; null: an owner's address."
    )
    address: AddressInput | None = strawberry.field(
        default=strawberry.UNSET, description="The billing address; null clears all of it."
    )
    tax_ids: list[TaxIdInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"All tax ids there are to be, at most {number(MOST_TAX_IDS)}; those that are left out are deleted.",
    )


@strawberry.input(description="Which workspace, and where to come back to.")
class CreateBillingPortalInput:
    workspace_id: strawberry.ID = strawberry.field(description="The workspace.")
    return_url: str | None = strawberry.field(
        default=None, description="Where the portal leads back to; must be on the configured list."
    )


@strawberry.type
class BillingDetailMutation:
    @strawberry.mutation(
        description=(
            "Changes whom the workspace's invoices are made out to, from the next one on. A tax id is looked up soon after: a VAT "
            "id of the European Union lets its holder account for the tax (reverse charge) once it is VERIFIED, if it is of the "
            "billing address's country and not of the seller's. INVALID_INPUT for what can't be right, with Stripe's words for a "
            "tax id, and nothing is changed then; BILLING_ADDRESS_REQUIRED where a paid subscription is taxed by the country that "
            "would be cleared. Owners only."
        )
    )
    async def update_billing_details(
        self,
        info: Info,
        input: Annotated[UpdateBillingDetailsInput, strawberry.argument(description="What is to change.")],
    ) -> WorkspacePayload:
        work = billing_detail_mutations.update_billing_details(info.context, input.workspace_id, _change(input))
        return await answer(WorkspacePayload, WorkspacePayload.of, work)

    @strawberry.mutation(
        description=(
            "A page of Stripe's for cards, address, tax ids and invoices, and for canceling at the period's end. While a change is "
            "pending Stripe can't cancel, and the page does not offer it: cancelSubscription does. The page is to be opened within "
            "minutes. Owners only."
        )
    )
    async def create_billing_portal(
        self,
        info: Info,
        input: Annotated[CreateBillingPortalInput, strawberry.argument(description="Which workspace.")],
    ) -> RedirectPayload:
        work = billing_detail_mutations.create_billing_portal(info.context, input.workspace_id, input.return_url)
        return await answer(RedirectPayload, RedirectPayload.of, work)


def _change(input: UpdateBillingDetailsInput) -> DetailsChange:
    return DetailsChange(
        name=_or_unchanged(input.name),
        email=_or_unchanged(input.email),
        address=UNCHANGED if input.address is strawberry.UNSET else _address_parts(input.address),
        tax_ids=UNCHANGED
        if input.tax_ids is strawberry.UNSET
        else [TaxIdGiven(each.type, each.value) for each in input.tax_ids or ()],
    )


def _address_parts(address: AddressInput | None) -> dict[str, str | None] | None:
    if address is None:
        return None
    return {name: part for name in ADDRESS_PARTS if (part := getattr(address, name)) is not strawberry.UNSET}


def _or_unchanged(value: Any) -> Any:
    return UNCHANGED if value is strawberry.UNSET else value
