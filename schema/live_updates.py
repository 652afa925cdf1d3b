"""Live updates: what can be watched."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated

import strawberry

from resolvers import live_updates, workspaces
from resolvers.billing_access import sees_billing
from resolvers.context import Info
from resolvers.live_topics import LATEST_INVOICES
from schema.credits import CreditBalance
from schema.invoices import Invoice
from schema.purchases import CreditPurchase
from schema.subscriptions import Subscription
from schema.usage import Usage
from schema.workspaces import Workspace


@strawberry.type(
    name="LiveUpdates",
    description=(
        "What can be watched: the whole state is sent again after each change. Balance, purchase, cards, subscription and usage "
        "are sent as they stand first; invoiceChanged begins with nothing, or with what since asks for. Changes that come faster "
        "than a client reads them are folded into the newest; versions never go back."
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
            yield Workspace.of(await workspaces.workspace_by_id(info.context, state.object_id))

    @strawberry.subscription(
        description=(
            "What a workspace is on, as it stands first, then after each change of it and when members come or go. For all who "
            "belong to the workspace; prices, invoices and what is overdue for those with VIEW_BILLING only."
        )
    )
    async def subscription_changed(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose subscription.")],
    ) -> AsyncGenerator[Subscription, None]:
        async for state in live_updates.watch_subscription(info.context, workspace_id):
            # as it is now: an owner may have become a member since the last change
            sees = sees_billing(await workspaces.workspace_by_id(info.context, state.object_id))
            yield state.shown(lambda shown, sees=sees: Subscription.of(shown, sees_billing=sees), to=sees)

    @strawberry.subscription(
        description=(
            "What a workspace uses, as it stands first, then after each change and when a usage period begins. For all who belong "
            "to the workspace; credits and subjects for those with VIEW_BILLING only."
        )
    )
    async def usage_changed(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose usage.")],
    ) -> AsyncGenerator[Usage, None]:
        unit = info.context.runtime.catalog.credit_unit
        async for state in live_updates.watch_usage(info.context, workspace_id):
            # as it is now: an owner may have become a member since the last change
            sees = sees_billing(await workspaces.workspace_by_id(info.context, state.object_id))
            yield state.shown(lambda shown, sees=sees: Usage.of(shown, unit, sees_billing=sees), to=sees)

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
                description=(
                    f"Send those first that changed after this time: of more than {LATEST_INVOICES}, the latest {LATEST_INVOICES}."
                )
            ),
        ] = None,
    ) -> AsyncGenerator[Invoice, None]:
        async for state in live_updates.watch_invoices(info.context, workspace_id, since):
            yield state.shown(Invoice.of)
