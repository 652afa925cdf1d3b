"""Live updates: what a caller can watch."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

from app.accounts.access.callers import Caller
from app.billing.subscriptions.shown_subscription import ShownSubscription
from app.ledger.ledger_reads import Balance
from app.metering.bars import Usage
from app.store.invoices import MirroredInvoice
from app.store.purchases import SeenPurchase
from resolvers import global_ids, payment_methods, purchases
from resolvers.context import Context
from resolvers.live_topics import State


def watch_balance(context: Context, workspace_global_id: str) -> AsyncGenerator[State[Balance], None]:
    """The balance of a workspace: as it stands, then after each change."""
    workspace_id, runtime = global_ids.workspace_id(workspace_global_id), context.runtime
    return runtime.hub.subscribe(runtime.topics.balances, workspace_id, workspace_id, caller=_watching(context))


async def watch_purchase(context: Context, purchase_id: str) -> AsyncGenerator[State[SeenPurchase], None]:
    """A purchase: as it stands, then after each change. Who begins to watch it has it looked at once."""
    workspace_id, row_id = global_ids.owned_id(purchase_id, "CreditPurchase")
    runtime = context.runtime
    states = runtime.hub.subscribe(runtime.topics.purchases, workspace_id, row_id, caller=_watching(context))
    async with aclosing(states):
        async for state in states:
            await purchases.check_soon(context, [state.value])
            yield state


async def watch_cards(context: Context, workspace_global_id: str) -> AsyncGenerator[State[None], None]:
    """The cards of a workspace: as they stand, then after each change. Who begins to watch them has them looked at once."""
    workspace_id, runtime = global_ids.workspace_id(workspace_global_id), context.runtime
    states = runtime.hub.subscribe(runtime.topics.cards, workspace_id, workspace_id, caller=_watching(context))
    async with aclosing(states):
        async for state in states:
            await payment_methods.check_soon(context, workspace_id)
            yield state


def watch_invoices(
    context: Context, workspace_global_id: str, since: datetime | None
) -> AsyncGenerator[State[MirroredInvoice], None]:
    """Every invoice of a workspace that is issued or changes; first those that changed after `since`, where that is given."""
    workspace_id, runtime = global_ids.workspace_id(workspace_global_id), context.runtime

    def changed_since(state: State[MirroredInvoice]) -> bool:
        return since is not None and state.value.changed_at > since

    return runtime.hub.subscribe_all(
        runtime.topics.invoices, workspace_id, opens_with=changed_since, caller=_watching(context)
    )


def watch_subscription(context: Context, workspace_global_id: str) -> AsyncGenerator[State[ShownSubscription], None]:
    """The subscription of a workspace: as it stands, then after each change of it or of who belongs to the workspace."""
    workspace_id, runtime = global_ids.workspace_id(workspace_global_id), context.runtime
    return runtime.hub.subscribe(runtime.topics.subscriptions, workspace_id, workspace_id, caller=_watching(context))


def watch_usage(context: Context, workspace_global_id: str) -> AsyncGenerator[State[Usage], None]:
    """The usage of a workspace: as it stands, then after each change, and when a period begins."""
    workspace_id, runtime = global_ids.workspace_id(workspace_global_id), context.runtime
    return runtime.hub.subscribe(runtime.topics.usages, workspace_id, workspace_id, caller=_watching(context))


def _watching(context: Context) -> Caller:
    """Who watches; what was read with their token is forgotten, since a socket may last for days."""
    context.person = None
    return context.caller
