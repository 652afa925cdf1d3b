"""The root: every query, mutation and live update, and the schema made of them."""

from typing import Final

import strawberry
from graphql import GraphQLDirective, GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from schema.api_key_mutations import ApiKeyMutation
from schema.avatar_mutations import AvatarMutation
from schema.billing_detail_mutations import BillingDetailMutation
from schema.catalog import CatalogQuery
from schema.credit_mutations import CreditMutation
from schema.deletion_mutations import DeletionMutation
from schema.email_mutations import EmailMutation
from schema.invoice_mutations import InvoiceMutation
from schema.live_updates import LiveUpdates
from schema.member_mutations import MemberMutation
from schema.members import InvitationQuery
from schema.node_lookup import NodeQuery
from schema.organization_mutations import OrganizationMutation
from schema.password_mutations import PasswordMutation
from schema.payment_method_mutations import PaymentMethodMutation
from schema.phone_mutations import PhoneMutation
from schema.profile_mutations import ProfileMutation
from schema.profiles import ProfileQuery
from schema.purchase_mutations import PurchaseMutation
from schema.sales_mutations import SalesMutation
from schema.scalars import SCALARS
from schema.sign_in_mutations import SignInMutation
from schema.subscription_mutations import SubscriptionMutation
from schema.subscription_previews import SubscriptionPreviewQuery
from schema.usage import UsageQuery
from schema.usage_mutations import UsageMutation
from schema.user_errors import BasicError, PaymentActionRequired, PaymentDeclined
from schema.users import UserQuery
from schema.workspaces import WorkspaceQuery


@strawberry.type(description="What can be read.")
class Query(
    UserQuery,
    ProfileQuery,
    InvitationQuery,
    WorkspaceQuery,
    CatalogQuery,
    SubscriptionPreviewQuery,
    UsageQuery,
    NodeQuery,
):
    pass


@strawberry.type(
    description=(
        "What can be changed. One input, one payload. On success userErrors is empty; otherwise the payload's other fields are "
        "null, but for those of a purchase or payment that was begun."
    )
)
class Mutation(
    SignInMutation,
    PhoneMutation,
    ProfileMutation,
    EmailMutation,
    AvatarMutation,
    PasswordMutation,
    DeletionMutation,
    OrganizationMutation,
    MemberMutation,
    ApiKeyMutation,
    PaymentMethodMutation,
    BillingDetailMutation,
    InvoiceMutation,
    PurchaseMutation,
    SubscriptionMutation,
    SalesMutation,
    UsageMutation,
    CreditMutation,
):
    pass


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
