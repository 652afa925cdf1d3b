"""The root: every query, mutation and live update, and the schema made of them."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Final

import strawberry
from graphql import GraphQLDirective, GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from resolvers import live_updates, workspaces
from resolvers.context import Info
from schema.api_key_mutations import KeyMutation
from schema.avatar_mutations import AvatarMutation
from schema.catalog import Catalog
from schema.credit_mutations import SpendingMutation
from schema.credits import CreditBalance
from schema.deletion_mutations import DeletionMutation
from schema.node_interface import Node
from schema.node_lookup import read_node
from schema.organization_mutations import OrganizationMutation, OrganizationQuery
from schema.password_mutations import PasswordMutation
from schema.payment_mutations import PayingMutation
from schema.payments import Invoice
from schema.profile_mutations import ProfileMutation, ProfileQuery
from schema.purchase_mutations import RechargeMutation
from schema.purchases import CreditPurchase
from schema.scalars import SCALARS
from schema.sign_in_mutations import IdentityMutation, IdentityQuery
from schema.user_errors import BasicError, PaymentActionRequired, PaymentDeclined
from schema.workspaces import Workspace


@strawberry.type(description="What can be read.")
class Query(IdentityQuery, ProfileQuery, OrganizationQuery):
    @strawberry.field(
        description="A workspace the caller may see; exactly one argument. By externalId: service keys only. Null if there is none."
    )
    async def workspace(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="Its id.")] = None,
        handle: Annotated[str | None, strawberry.argument(description="Its handle, without regard to case.")] = None,
        external_id: Annotated[
            str | None, strawberry.argument(description="The id the host product knows it by.")
        ] = None,
    ) -> Workspace | None:
        access = await workspaces.workspace(info.context, id, handle, external_id)
        return Workspace.of(access) if access is not None else None

    @strawberry.field(description="What can be bought: readable without signing in.")
    def catalog(self, info: Info) -> Catalog:
        runtime = info.context.runtime
        return Catalog.of(runtime.catalog, runtime.publishable_key)

    @strawberry.field(description="Any object by its id; null for one that isn't there for the caller.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id it was read with.")]
    ) -> Node | None:
        return await read_node(info.context, id)


@strawberry.type(
    description=(
        "What can be changed. One input, one payload. On success userErrors is empty; otherwise the payload's other fields are "
        "null, but for those of a purchase or payment that was begun."
    )
)
class Mutation(
    IdentityMutation,
    ProfileMutation,
    AvatarMutation,
    PasswordMutation,
    DeletionMutation,
    OrganizationMutation,
    KeyMutation,
    PayingMutation,
    RechargeMutation,
    SpendingMutation,
):
    pass


@strawberry.type(
    name="LiveUpdates",
    description=(
        "What can be watched: the whole state is sent again after each change. Balance, purchase and cards are sent as they "
        "stand first; invoiceChanged begins with nothing, or with what since asks for. Changes that come faster than a client "
        "reads them are folded into the newest; versions never go back."
    ),
)
class LiveUpdates:
    @strawberry.subscription(
        description="The credit balance of a workspace, as it stands first. For those with VIEW_BILLING."
    )
    async def credit_balance_changed(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose balance.")],
    ) -> AsyncGenerator[CreditBalance, None]:
        catalog = info.context.runtime.catalog
        async for state in live_updates.watch_balance(info.context, workspace_id):
            yield state.shown(lambda balance: CreditBalance.of(balance, catalog))

    @strawberry.subscription(
        description="One purchase of credits to its end, as it stands first. For those with VIEW_BILLING."
    )
    async def credit_purchase_changed(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The purchase.")]
    ) -> AsyncGenerator[CreditPurchase, None]:
        async for state in live_updates.watch_purchase(info.context, id):
            yield CreditPurchase.of(state.value, info.context.runtime.catalog.credit_unit)

    @strawberry.subscription(
        description="The workspace, as it stands first and when its cards changed. For those with VIEW_BILLING."
    )
    async def payment_methods_changed(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose cards.")],
    ) -> AsyncGenerator[Workspace, None]:
        async for state in live_updates.watch_cards(info.context, workspace_id):
            yield Workspace.of(await workspaces.again(info.context, state.object_id))

    @strawberry.subscription(
        description=(
            "Each invoice of a workspace when it is issued or changes. Without since, nothing is sent before the first change; "
            "with it, first the invoices that changed after that time. For those with VIEW_BILLING."
        )
    )
    async def invoice_changed(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose invoices.")],
        since: Annotated[
            datetime | None,
            strawberry.argument(
                description="Send those first that changed after this time: of more than 100, the latest 100."
            ),
        ] = None,
    ) -> AsyncGenerator[Invoice, None]:
        async for state in live_updates.watch_invoices(info.context, workspace_id, since):
            yield state.shown(Invoice.of)


_DESCRIPTION: Final = (
    "Counterfoil: people's accounts, workspaces, prepaid credits, cards, purchases and invoices. `viewer` is who is signed in, "
    "`catalog` what is sold; everything else hangs on a workspace. Amounts are exact decimals in strings. What a person can mend "
    "comes as userErrors, what a program got wrong as errors with extensions.code."
)


class _Described(strawberry.Schema):
    """A schema whose text begins with its description, which Strawberry's printer leaves out."""

    def as_str(self) -> str:
        return f'"""\n{_DESCRIPTION}\n"""\n{super().as_str()}'


schema = _Described(
    query=Query,
    mutation=Mutation,
    subscription=LiveUpdates,
    # what only an interface leads to must be named, or it is not exported
    types=[BasicError, PaymentActionRequired, PaymentDeclined],
    config=StrawberryConfig(scalar_map=SCALARS),
)


def _for_clients_of_today(directive: GraphQLDirective) -> GraphQLDirective:
    """The directive without the places that only drafts of the specification know, and that clients stumble over."""
    places = [place for place in directive.locations if place.name in _PLACES]
    return GraphQLDirective(directive.name, places, directive.args, directive.is_repeatable, directive.description)


# the directive locations of the specification of October 2021
_PLACES = frozenset(
    "QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION SCHEMA SCALAR "
    "OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT INPUT_FIELD_DEFINITION".split()
)

graphql_schema: GraphQLSchema = schema._schema  # pyright: ignore[reportPrivateUsage]
graphql_schema.description = _DESCRIPTION
graphql_schema.directives = tuple(_for_clients_of_today(directive) for directive in graphql_schema.directives)
