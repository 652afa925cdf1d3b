"""The root: every query, mutation and live update, and the schema made of them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.schema.config import StrawberryConfig

from app.errors import NotFound
from app.ids import parse_global_id
from app.ledger.chart import Source
from resolvers import credits, live, payments, workspaces
from resolvers.context import Context, Info
from schema.catalog import Catalog, CreditPack, Plan
from schema.credits import (
    CaptureHoldInput,
    CreditBalance,
    CreditHold,
    CreditHoldPayload,
    CreditPurchase,
    CreditTransaction,
    CreditTransactionPayload,
    DeductCreditsInput,
    GrantCreditsInput,
    HoldCreditsInput,
    RechargeCreditsInput,
    RechargePayload,
    ReleaseHoldInput,
)
from schema.errors import BasicError, PaymentActionRequired, PaymentDeclined, answer
from schema.identity import IdentityMutation, IdentityQuery
from schema.node import Node
from schema.payloads import IdInput
from schema.payments import (
    AddPaymentMethodInput,
    AddPaymentMethodPayload,
    Invoice,
    InvoicePayload,
    PayInvoiceInput,
    PaymentMethod,
    PaymentMethodPayload,
)
from schema.scalars import SCALARS
from schema.user import USER_NODES
from schema.workspace import Workspace, WorkspacePayload


async def _catalog_node(context: Context, node_id: str) -> Node | None:
    catalog = context.runtime.catalog
    match parse_global_id(node_id):
        case parsed if parsed.type == "Plan":
            plan = catalog.plan(str(parsed.id))
            return Plan.of(plan, catalog) if plan is not None else None
        case parsed:
            pack = catalog.pack(str(parsed.id))
            return CreditPack.of(pack, catalog.credit_unit) if pack is not None else None


async def _workspace(context: Context, node_id: str) -> Node | None:
    access = await workspaces.workspace(context, node_id, None, None)
    return Workspace.of(access) if access is not None else None


async def _balance(context: Context, node_id: str) -> Node | None:
    return CreditBalance.of(await credits.balance(context, node_id), context.runtime.catalog)


async def _transaction(context: Context, node_id: str) -> Node | None:
    found = await credits.transaction(context, node_id)
    return CreditTransaction.of(found, context.runtime.catalog.credit_unit) if found is not None else None


async def _purchase(context: Context, node_id: str) -> Node | None:
    found = await credits.purchase(context, node_id)
    return CreditPurchase.of(found, context.runtime.catalog.credit_unit) if found is not None else None


async def _invoice(context: Context, node_id: str) -> Node | None:
    found = await payments.invoice(context, node_id)
    return Invoice.of(found) if found is not None and found.issued_at is not None else None


async def _hold(context: Context, node_id: str) -> Node | None:
    found = await credits.hold(context, node_id)
    return CreditHold.of(found, context.runtime.catalog.credit_unit) if found is not None else None


async def _card(context: Context, node_id: str) -> Node | None:
    found = await payments.card(context, node_id)
    return PaymentMethod.of(found) if found is not None else None


_NODES: Mapping[str, Callable[[Context, str], Awaitable[Node | None]]] = {
    "Plan": _catalog_node,
    "CreditPack": _catalog_node,
    "Workspace": _workspace,
    "CreditBalance": _balance,
    "CreditTransaction": _transaction,
    "CreditPurchase": _purchase,
    "CreditHold": _hold,
    "Invoice": _invoice,
    "PaymentMethod": _card,
    **USER_NODES,
}


@strawberry.type(description="What can be read.")
class Query(IdentityQuery):
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
        try:
            read = _NODES.get(parse_global_id(id).type)
            return await read(info.context, id) if read is not None else None
        except NotFound:
            return None


@strawberry.type(description="What can be changed. One input, one payload; userErrors is empty on success.")
class Mutation(IdentityMutation):
    @strawberry.mutation(
        description=(
            "Begins to save a card: a SetupIntent for Stripe.js or the mobile SDK. The first card becomes the default. "
            "Owners only."
        )
    )
    async def add_payment_method(
        self, info: Info, input: Annotated[AddPaymentMethodInput, strawberry.argument(description="What and where.")]
    ) -> AddPaymentMethodPayload:
        return await answer(
            AddPaymentMethodPayload,
            AddPaymentMethodPayload.of,
            payments.add_payment_method(info.context, input.workspace_id, input.return_url),
        )

    @strawberry.mutation(description="Makes a card the one that is charged when no other is named. Owners only.")
    async def set_default_payment_method(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The card.")]
    ) -> PaymentMethodPayload:
        return await answer(
            PaymentMethodPayload,
            PaymentMethodPayload.of,
            payments.set_default_payment_method(info.context, input.id),
        )

    @strawberry.mutation(
        description="Removes a card. Where it was the default, the oldest that is left becomes it. Owners only."
    )
    async def remove_payment_method(
        self, info: Info, input: Annotated[IdInput, strawberry.argument(description="The card.")]
    ) -> WorkspacePayload:
        return await answer(
            WorkspacePayload, WorkspacePayload.of, payments.remove_payment_method(info.context, input.id)
        )

    @strawberry.mutation(description="Pays an open invoice with the default card. Owners only.")
    async def pay_invoice(
        self, info: Info, input: Annotated[PayInvoiceInput, strawberry.argument(description="The invoice.")]
    ) -> InvoicePayload:
        return await answer(
            InvoicePayload,
            InvoicePayload.of,
            payments.pay_open_invoice(info.context, input.invoice_id, input.idempotency_key),
        )

    @strawberry.mutation(
        description=(
            "Buys credits with the default or a named card; without a card, checkoutUrl is where to pay. They are granted when, "
            "and only when, the payment succeeded, once. Owners only."
        )
    )
    async def recharge_credits(
        self, info: Info, input: Annotated[RechargeCreditsInput, strawberry.argument(description="What to buy.")]
    ) -> RechargePayload:
        return await answer(
            RechargePayload,
            lambda bought: RechargePayload.of(bought, info.context.runtime.catalog),
            credits.recharge_credits(
                info.context,
                input.workspace_id,
                pack_code=input.pack_code,
                amount=input.amount,
                payment_method_id=input.payment_method_id,
                success_url=input.success_url,
                cancel_url=input.cancel_url,
                idempotency_key=input.idempotency_key,
            ),
        )

    @strawberry.mutation(description="Spends credits, all or nothing. Service keys with CREDITS_WRITE only.")
    async def deduct_credits(
        self, info: Info, input: Annotated[DeductCreditsInput, strawberry.argument(description="What to spend.")]
    ) -> CreditTransactionPayload:
        return await answer(
            CreditTransactionPayload,
            lambda moved: CreditTransactionPayload.of(moved, info.context.runtime.catalog),
            credits.deduct_credits(
                info.context,
                input.workspace_id,
                amount=input.amount,
                description=input.description,
                resource=input.resource,
                idempotency_key=input.idempotency_key,
            ),
        )

    @strawberry.mutation(
        description="Gives credits: a promotion, or to put something right. Service keys with OPERATOR only."
    )
    async def grant_credits(
        self, info: Info, input: Annotated[GrantCreditsInput, strawberry.argument(description="What to give.")]
    ) -> CreditTransactionPayload:
        return await answer(
            CreditTransactionPayload,
            lambda moved: CreditTransactionPayload.of(moved, info.context.runtime.catalog),
            credits.grant_credits(
                info.context,
                input.workspace_id,
                amount=input.amount,
                source=Source(input.source),
                description=input.description,
                expires_at=input.expires_at,
                idempotency_key=input.idempotency_key,
            ),
        )

    @strawberry.mutation(
        description="Sets credits aside until they are captured, released, or lapse. Service keys with CREDITS_WRITE only."
    )
    async def hold_credits(
        self, info: Info, input: Annotated[HoldCreditsInput, strawberry.argument(description="What to set aside.")]
    ) -> CreditHoldPayload:
        seconds = input.expires_in_seconds
        return await answer(
            CreditHoldPayload,
            lambda held: CreditHoldPayload.of(held, info.context.runtime.catalog),
            credits.hold_credits(
                info.context,
                input.workspace_id,
                amount=input.amount,
                description=input.description,
                expires_in_seconds=seconds if seconds is not None else 600,
                idempotency_key=input.idempotency_key,
            ),
        )

    @strawberry.mutation(
        description=(
            "Spends up to the amount of a hold, once; what is left returns to the grants it came from. Service keys with "
            "CREDITS_WRITE only."
        )
    )
    async def capture_hold(
        self, info: Info, input: Annotated[CaptureHoldInput, strawberry.argument(description="How much.")]
    ) -> CreditHoldPayload:
        return await answer(
            CreditHoldPayload,
            lambda held: CreditHoldPayload.of(held, info.context.runtime.catalog),
            credits.capture_hold(
                info.context, input.hold_id, amount=input.amount, idempotency_key=input.idempotency_key
            ),
        )

    @strawberry.mutation(
        description="Ends a hold unused; its credits return to the grants they came from. Service keys with CREDITS_WRITE only."
    )
    async def release_hold(
        self, info: Info, input: Annotated[ReleaseHoldInput, strawberry.argument(description="The hold.")]
    ) -> CreditHoldPayload:
        return await answer(
            CreditHoldPayload,
            lambda held: CreditHoldPayload.of(held, info.context.runtime.catalog),
            credits.release_hold(info.context, input.hold_id),
        )


@strawberry.type(
    name="LiveUpdates",
    description=(
        "What can be watched. Each sends the state as it stands first, then the whole state again after each change. Changes "
        "that come faster than a client reads them are folded into the newest; versions never go back."
    ),
)
class LiveUpdates:
    @strawberry.subscription(description="The credit balance of a workspace, for those with VIEW_BILLING.")
    async def credit_balance_changed(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose balance.")],
    ) -> AsyncGenerator[CreditBalance, None]:
        async for state in live.watch_balance(info.context, workspace_id):
            yield CreditBalance.of(state.value, info.context.runtime.catalog, state)

    @strawberry.subscription(description="One purchase of credits to its end, for those with VIEW_BILLING.")
    async def credit_purchase_changed(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The purchase.")]
    ) -> AsyncGenerator[CreditPurchase, None]:
        async for state in live.watch_purchase(info.context, id):
            yield CreditPurchase.of(state.value, info.context.runtime.catalog.credit_unit)

    @strawberry.subscription(description="The workspace, when its cards changed, for those with VIEW_BILLING.")
    async def payment_methods_changed(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose cards.")],
    ) -> AsyncGenerator[Workspace, None]:
        async for state in live.watch_cards(info.context, workspace_id):
            yield Workspace.of(await workspaces.again(info.context, state.object_id))

    @strawberry.subscription(
        description=(
            "Each invoice of a workspace as it is issued or changes; with since, first those that changed after it. For those with "
            "VIEW_BILLING."
        )
    )
    async def invoice_changed(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Whose invoices.")],
        since: Annotated[
            datetime | None, strawberry.argument(description="Send those first that changed after this time.")
        ] = None,
    ) -> AsyncGenerator[Invoice, None]:
        async for state in live.watch_invoices(info.context, workspace_id, since):
            yield Invoice.of(state.value, state)


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=LiveUpdates,
    # what only an interface leads to must be named, or it is not exported
    types=[BasicError, PaymentActionRequired, PaymentDeclined],
    config=StrawberryConfig(scalar_map=SCALARS),
)
