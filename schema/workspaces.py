"""Workspaces: what gets billed."""

from enum import Enum
from typing import Annotated, Self

import strawberry

from app.accounts.access.permissions import WorkspacePermission, WorkspaceRole
from app.accounts.access.workspace_access import WorkspaceAccess
from app.ids import GlobalId
from app.payments.gateway_values import InvoiceStatus
from resolvers import (
    api_keys,
    audit_log,
    billing_details,
    invoices,
    members,
    payment_methods,
    phones,
    purchases,
    subscriptions,
    workspaces,
)
from resolvers.billing_access import sees_billing
from resolvers.context import Info
from resolvers.pagination import USUAL_ROWS
from schema.api_keys import ApiKey
from schema.audit_log import AuditEventConnection
from schema.billing_details import BillingDetails
from schema.catalog import Plan
from schema.credits import CreditBalance, read_balance
from schema.enums import described
from schema.invoices import InvoiceConnection, UpcomingInvoice
from schema.members import Invitation, MembershipConnection
from schema.money import Money, Period
from schema.node_interface import Node
from schema.pagination import AFTER, FIRST
from schema.payment_methods import PaymentMethod
from schema.phones import PhoneNumber
from schema.plan_transitions import PlanTransition
from schema.purchases import CreditPurchaseConnection, Spend
from schema.subscriptions import Subscription
from schema.usage import Usage, read_usage
from schema.user_errors import USER_ERRORS, UserError, no_errors


class WorkspaceKind(Enum):
    """Whether a workspace is one person's or shared."""

    PERSONAL = "PERSONAL"
    ORGANIZATION = "ORGANIZATION"


described(
    WorkspaceKind,
    "Whether a workspace is one person's or shared.",
    {
        WorkspaceKind.PERSONAL: "The one workspace that each user has.",
        WorkspaceKind.ORGANIZATION: "A workspace with members.",
    },
)
described(
    WorkspacePermission,
    "What may be done in a workspace beyond seeing its plan, its seats and who belongs to it.",
    {
        WorkspacePermission.VIEW_BILLING: "See credits, cards, invoices and what is spent.",
        WorkspacePermission.MANAGE_BILLING: (
            "Buy credits, pay invoices, add and remove cards, change billing details, verify a phone."
        ),
        WorkspacePermission.MANAGE_MEMBERS: (
            "In an organization: invite and remove members and change their roles. A personal workspace, whose owner has this too, "
            "takes no other members: INVALID_INPUT."
        ),
        WorkspacePermission.MANAGE_WORKSPACE: (
            "Rename the workspace and, where it is an organization, delete it. A personal workspace goes with its account only: "
            "INVALID_INPUT."
        ),
        WorkspacePermission.VIEW_AUDIT_LOG: "Read who did what.",
        WorkspacePermission.MANAGE_KEYS: "Create and revoke API keys.",
    },
)


@strawberry.type(
    description="The billing account: one personal workspace per user, and the organizations they belong to."
)
class Workspace(Node):
    access: strawberry.Private[WorkspaceAccess]
    kind: WorkspaceKind = strawberry.field(description="Whether it is one person's or shared.")
    name: str = strawberry.field(description="For people.")
    handle: str = strawberry.field(description="Unique among users and organizations, without regard to case.")
    external_id: str | None = strawberry.field(description="The id the host product knows this workspace by.")
    viewer_role: WorkspaceRole | None = strawberry.field(description="What the caller is here; null for keys.")
    permissions: list[WorkspacePermission] = strawberry.field(
        description=(
            "What the caller may do here. Beyond it, fields answer null, invitations an empty list, and mutations FORBIDDEN."
        )
    )

    @strawberry.field(
        description="Its members, who joined last first. For members and service keys with OPERATOR; FORBIDDEN for other keys."
    )
    async def members(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description=FIRST)] = members.USUAL_MEMBERS,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
    ) -> MembershipConnection:
        page = await members.member_page(info.context, self.access, first, after)
        return MembershipConnection.of(page, self.access.workspace.id)

    @strawberry.field(
        description=(
            "The invitations that were sent and have neither been accepted, revoked nor lapsed, the newest first. One whose "
            "addressee left or was removed since leads nowhere, but stays on the list. An empty list for those without "
            "MANAGE_MEMBERS."
        )
    )
    async def invitations(self, info: Info) -> list[Invitation]:
        return [Invitation.of(row) for row in await members.open_invitations(info.context, self.access)]

    @strawberry.field(description="The plan it is on.")
    async def plan(self, info: Info) -> Plan:
        terms = await subscriptions.terms(info.context, self.access.workspace.id)
        return Plan.of(terms, info.context.runtime.catalog)

    @strawberry.field(description="What it is on, with its seats and what is decided for later.")
    async def subscription(self, info: Info) -> Subscription:
        shown = await subscriptions.subscription_of(info.context, self.access.workspace.id)
        return Subscription.of(shown, sees_billing=sees_billing(self.access))

    @strawberry.field(description="What it can move to while it is on a legacy plan; null on any other.")
    async def plan_transition(self, info: Info) -> PlanTransition | None:
        found = await subscriptions.plan_transition(info.context, self.access.workspace.id)
        return PlanTransition.of(found, self.access, info) if found is not None else None

    @strawberry.field(
        description=(
            "What it uses in the running usage period, a bar for each resource. Without VIEW_BILLING no credits are in it, and "
            "nobody is named."
        )
    )
    async def usage(self, info: Info) -> Usage:
        return await read_usage(info, self.access.workspace.id, sees_billing=sees_billing(self.access))

    @strawberry.field(description="The verified number. Null, without an error, for those without VIEW_BILLING.")
    async def phone(self, info: Info) -> PhoneNumber | None:
        row = await phones.phone(info.context, self.access)
        return PhoneNumber.of(row) if row is not None else None

    @strawberry.field(description="Its prepaid credits. Null, without an error, for those without VIEW_BILLING.")
    async def credit_balance(self, info: Info) -> CreditBalance | None:
        return await read_balance(info, self.access.workspace.id) if sees_billing(self.access) else None

    @strawberry.field(
        description="What credits cost this month, against the limit. Null, without an error, without VIEW_BILLING."
    )
    async def spend(self, info: Info) -> Spend | None:
        found = await purchases.spend(info.context, self.access)
        if found is None:
            return None
        (start, end), spent, limit = found
        return Spend(
            period=Period(start=start, end=end),
            spent=Money.of(spent),
            limit=Money.of(limit) if limit is not None else None,
        )

    @strawberry.field(
        description="Its cards, the default one first. Null, without an error, for those without VIEW_BILLING."
    )
    async def payment_methods(self, info: Info) -> list[PaymentMethod] | None:
        cards = await payment_methods.cards(info.context, self.access)
        return [PaymentMethod.of(card) for card in cards] if cards is not None else None

    @strawberry.field(
        description="Whom its invoices are made out to. Null, without an error, for those without VIEW_BILLING."
    )
    async def billing_details(self, info: Info) -> BillingDetails | None:
        found = await billing_details.billing_details(info.context, self.access)
        return BillingDetails.of(*found) if found is not None else None

    @strawberry.field(
        description=(
            "The next bill as it stands now, from Stripe's own preview; null when nothing will be billed. Stripe is asked after a "
            "change, and once a minute at most; UNAVAILABLE, for this field alone, where it never answered yet. Null, without an "
            "error, for those without VIEW_BILLING."
        )
    )
    async def upcoming_invoice(self, info: Info) -> UpcomingInvoice | None:
        bill = await invoices.upcoming_invoice(info.context, self.access)
        return UpcomingInvoice.of(bill) if bill is not None else None

    @strawberry.field(description="Its invoices, newest first. Null, without an error, for those without VIEW_BILLING.")
    async def invoices(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description=FIRST)] = USUAL_ROWS,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
        status: Annotated[InvoiceStatus | None, strawberry.argument(description="Only those in this state.")] = None,
    ) -> InvoiceConnection | None:
        page = await invoices.invoice_page(info.context, self.access, first, after, status)
        return InvoiceConnection.of(page) if page is not None else None

    @strawberry.field(
        description="Its purchases of credits, newest first. Null, without an error, for those without VIEW_BILLING."
    )
    async def purchases(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description=FIRST)] = USUAL_ROWS,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
    ) -> CreditPurchaseConnection | None:
        page = await purchases.purchase_page(info.context, self.access, first, after)
        return CreditPurchaseConnection.of(page, info.context.runtime.catalog.credit_unit) if page is not None else None

    @strawberry.field(
        description=(
            "Everything that changed its billing, members or security, newest first. Null, without an error, for those without "
            "VIEW_AUDIT_LOG."
        )
    )
    async def audit_log(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description=FIRST)] = audit_log.USUAL_EVENTS,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
    ) -> AuditEventConnection | None:
        page = await audit_log.event_page(info.context, self.access, first, after)
        return AuditEventConnection.of(page) if page is not None else None

    @strawberry.field(
        description=(
            "Its keys for programs, newest first, without revoked ones. Null, without an error, for those without MANAGE_KEYS."
        )
    )
    async def api_keys(self, info: Info) -> list[ApiKey] | None:
        rows = await api_keys.keys(info.context, self.access)
        return [ApiKey.of(row) for row in rows] if rows is not None else None

    @classmethod
    def of(cls, access: WorkspaceAccess) -> Self:
        """The API's view of a workspace, as one caller may use it."""
        row = access.workspace
        return cls(
            access=access,
            id=strawberry.ID(str(GlobalId("Workspace", row.id))),
            kind=WorkspaceKind(row.kind),
            name=row.name,
            handle=row.handle,
            external_id=row.external_id,
            viewer_role=access.role,
            permissions=sorted(access.permissions, key=list(WorkspacePermission).index),
        )


@strawberry.type(description="The workspace as it is now.")
class WorkspacePayload:
    workspace: Workspace | None = strawberry.field(
        default=None,
        description="The workspace; null where userErrors is not empty, and for who does not belong to it any more.",
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, access: WorkspaceAccess | None) -> Self:
        """The payload of success."""
        return cls(workspace=Workspace.of(access) if access is not None else None)


@strawberry.type
class WorkspaceQuery:
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
