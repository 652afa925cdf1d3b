"""How each object is read again by its id."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import strawberry

from app.errors import Forbidden, NotFound, Unauthenticated
from app.ids import parse_global_id
from resolvers import (
    api_keys,
    audit_log,
    catalog,
    credits,
    invoices,
    members,
    payment_methods,
    profiles,
    purchases,
    subscriptions,
    usage,
    workspaces,
)
from resolvers.billing_access import sees_billing
from resolvers.context import Context, Info
from schema.api_keys import ApiKey
from schema.audit_log import AuditEvent
from schema.catalog import CreditPack, Plan
from schema.credits import CreditBalance, CreditGrant, CreditHold, CreditTransaction
from schema.invoices import Invoice
from schema.members import Invitation, Membership
from schema.node_interface import Node
from schema.payment_methods import PaymentMethod
from schema.profiles import Profile
from schema.purchases import CreditPurchase
from schema.subscriptions import Subscription
from schema.usage import Usage, UsageBar
from schema.users import USER_NODES
from schema.workspaces import Workspace


async def _catalog_node(context: Context, node_id: str) -> Node | None:
    today = context.runtime.catalog
    parsed = parse_global_id(node_id)
    if parsed.type == "Plan":
        terms = await catalog.plan_terms(context, str(parsed.id))
        return Plan.of(terms, today) if terms is not None else None
    pack = today.pack(str(parsed.id))
    return CreditPack.of(pack, today.credit_unit) if pack is not None else None


async def _workspace(context: Context, node_id: str) -> Node | None:
    access = await workspaces.workspace(context, node_id, None, None)
    return Workspace.of(access) if access is not None else None


async def _balance(context: Context, node_id: str) -> Node | None:
    return CreditBalance.of(await credits.balance(context, node_id), context.runtime.catalog)


async def _transaction(context: Context, node_id: str) -> Node | None:
    found = await credits.transaction(context, node_id)
    return CreditTransaction.of(found, context.runtime.catalog.credit_unit) if found is not None else None


async def _purchase(context: Context, node_id: str) -> Node | None:
    found = await purchases.purchase(context, node_id)
    return CreditPurchase.of(found, context.runtime.catalog.credit_unit) if found is not None else None


async def _invoice(context: Context, node_id: str) -> Node | None:
    found = await invoices.invoice(context, node_id)
    return Invoice.of(found) if found is not None else None


async def _grant(context: Context, node_id: str) -> Node | None:
    owner, found = await credits.grant(context, node_id)
    return CreditGrant.of(found, owner, context.runtime.catalog.credit_unit) if found is not None else None


async def _hold(context: Context, node_id: str) -> Node | None:
    found = await credits.hold(context, node_id)
    return CreditHold.of(found, context.runtime.catalog.credit_unit) if found is not None else None


async def _card(context: Context, node_id: str) -> Node | None:
    found = await payment_methods.card(context, node_id)
    return PaymentMethod.of(found) if found is not None else None


async def _api_key(context: Context, node_id: str) -> Node | None:
    found = await api_keys.key(context, node_id)
    return ApiKey.of(found) if found is not None else None


async def _audit_event(context: Context, node_id: str) -> Node | None:
    found = await audit_log.event(context, node_id)
    return AuditEvent.of(found) if found is not None else None


async def _membership(context: Context, node_id: str) -> Node | None:
    found = await members.membership(context, node_id)
    return Membership.of(found) if found is not None else None


async def _invitation(context: Context, node_id: str) -> Node | None:
    found = await members.invitation(context, node_id)
    return Invitation.of(found) if found is not None else None


async def _profile(context: Context, node_id: str) -> Node | None:
    found = await profiles.profile(context, node_id)
    return Profile.of(found) if found is not None else None


async def _subscription(context: Context, node_id: str) -> Node | None:
    shown, access = await subscriptions.subscription(context, node_id)
    return Subscription.of(shown, sees_billing=sees_billing(access))


async def _usage(context: Context, node_id: str) -> Node | None:
    found, access = await usage.usage(context, node_id)
    return Usage.of(found, context.runtime.catalog.credit_unit, sees_billing=sees_billing(access))


async def _usage_bar(context: Context, node_id: str) -> Node | None:
    found, access = await usage.bar(context, node_id)
    unit = context.runtime.catalog.credit_unit
    return UsageBar.of(found, unit, sees_billing=sees_billing(access)) if found is not None else None


_NODES: Mapping[str, Callable[[Context, str], Awaitable[Node | None]]] = {
    "Plan": _catalog_node,
    "CreditPack": _catalog_node,
    "Workspace": _workspace,
    "CreditBalance": _balance,
    "CreditTransaction": _transaction,
    "CreditPurchase": _purchase,
    "CreditGrant": _grant,
    "CreditHold": _hold,
    "Invoice": _invoice,
    "PaymentMethod": _card,
    "ApiKey": _api_key,
    "AuditEvent": _audit_event,
    "Membership": _membership,
    "Invitation": _invitation,
    "Profile": _profile,
    "Subscription": _subscription,
    "Usage": _usage,
    "UsageBar": _usage_bar,
    **USER_NODES,
}


async def read_node(context: Context, node_id: str) -> Node | None:
    """The object with this id; None for one that isn't there for the caller."""
    try:
        read = _NODES.get(parse_global_id(node_id).type)
        return await read(context, node_id) if read is not None else None
    except (NotFound, Forbidden, Unauthenticated):
        return None


@strawberry.type
class NodeQuery:
    @strawberry.field(description="Any object by its id; null for one that isn't there for the caller.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id it was read with.")]
    ) -> Node | None:
        return await read_node(info.context, id)
