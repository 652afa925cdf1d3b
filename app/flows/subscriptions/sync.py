"""Mirroring the provider's subscription of a workspace: whatever happened, what is fetched now is what counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.billing.subscriptions import subscription_states
from app.billing.subscriptions.goals import WORKSPACE_ID, Snapshot
from app.billing.subscriptions.sold_terms import Sold, read_sold
from app.billing.subscriptions.subscription_states import live_ones
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.provider.customers import forget_customer
from app.flows.subscriptions.second_subscriptions import end_second
from app.flows.subscriptions.tax_rates import follow_country
from app.payments.gateway_errors import GatewayMissing, MissingObject
from app.payments.subscription_values import ProviderSubscription, Schedule
from app.store import billing_accounts as billing_account_store
from app.store import subscriptions as subscription_store

_MOST_FETCHES: Final = 5


@dataclass(frozen=True, slots=True)
class _Found:
    """The live subscriptions at the provider: the one that counts, and others. `is_closing`: the workspace is being deleted."""

    snapshot: Snapshot | None
    others: Sequence[ProviderSubscription] = ()
    is_closing: bool = False


async def fetch_snapshot(context: FlowContext, workspace_id: UUID, sold: Sold) -> Snapshot | None:
    """The live subscription of a workspace as the provider has it now; None where there is none.

    Where there are several, the one that is mirrored, else the oldest. Raises `GatewayUnavailable`.
    """
    return (await _find(context, workspace_id, sold)).snapshot


async def sync_subscription(context: FlowContext, workspace_id: UUID) -> Snapshot | None:
    """Mirror the workspace's subscription, and return it as the provider has it; a second live one is ended and refunded.

    Of two syncs at once the one that fetched earlier may write last, so each that changed something fetches again. Does nothing for
    a workspace that is being deleted. Raises `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        sold = await read_sold(session, context.catalog, workspace_id)
    snapshot = None
    for _ in range(_MOST_FETCHES):
        found = await _find(context, workspace_id, sold)
        if found.is_closing:
            return None
        snapshot = found.snapshot
        for other in found.others:
            await end_second(context, workspace_id, other)
        if not await transact(
            context.database,
            lambda session, snapshot=snapshot: subscription_states.mirror(session, workspace_id, sold, snapshot),
            step="subscription.mirror",
        ):
            break
    if snapshot is not None and snapshot.is_schedule_over:
        await _release_schedule(context, workspace_id, snapshot)
    if snapshot is not None and context.catalog.tax.needs_address:
        await follow_country(context, workspace_id, snapshot)
    return snapshot


async def _find(context: FlowContext, workspace_id: UUID, sold: Sold) -> _Found:
    async with context.database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
        row = await subscription_store.find(session, workspace_id)
    if account is None:
        return _Found(None)
    if account.customer_id is None:
        return _Found(None, is_closing=account.closing_at is not None)
    mirrored_id = row.provider_id if row is not None else None
    live = await _fetch_live(context, workspace_id, account.customer_id, sold, mirrored_id)
    main = next((each for each in live if each.id == mirrored_id), live[0] if live else None)
    snapshot = await _with_schedule(context, main, sold) if main is not None else None
    others = [each for each in live if each is not main]
    return _Found(snapshot, others, is_closing=account.closing_at is not None)


async def subscription_changed(context: FlowContext, customer_id: str | None) -> UUID | None:
    """Process the event that a customer's subscription, or its schedule, changed; returns the workspace, None if it is not ours."""
    async with context.database.read() as session:
        account = await billing_account_store.of_customer(session, customer_id) if customer_id is not None else None
    if account is None:
        return None
    await sync_subscription(context, account.workspace_id)
    return account.workspace_id


async def _release_schedule(context: FlowContext, workspace_id: UUID, snapshot: Snapshot) -> None:
    """Release a schedule of ours whose change was made: while one is attached the provider lets nobody cancel, as in its portal."""
    async with context.database.read() as session:
        if await subscription_store.change_in_flight(session, workspace_id) is not None:
            return
    schedule = snapshot.schedule
    if schedule is not None:
        await context.gateway.release_schedule(schedule.id, key=f"over:{schedule.id}")


async def _fetch_live(
    context: FlowContext, workspace_id: UUID, customer_id: str, sold: Sold, mirrored_id: str | None
) -> list[ProviderSubscription]:
    """The customer's live subscriptions that are of the catalog, the oldest first: the seller may bill other things too."""
    try:
        found = await context.gateway.find_subscriptions(customer_id)
    except GatewayMissing as missing:
        if missing.kind is not MissingObject.CUSTOMER:
            raise
        # its subscriptions ended with it
        await forget_customer(context, workspace_id, customer_id)
        return []
    return [each for each in live_ones(found) if each.id == mirrored_id or _is_of_catalog(each, sold)]


def _is_of_catalog(subscription: ProviderSubscription, sold: Sold) -> bool:
    known = sold.lookup_keys
    return WORKSPACE_ID in subscription.metadata or any(item.price_id in known for item in subscription.items)


async def _with_schedule(context: FlowContext, subscription: ProviderSubscription, sold: Sold) -> Snapshot:
    schedule: Schedule | None = None
    if subscription.schedule_id is not None:
        schedule = await context.gateway.schedule(subscription.schedule_id)
    active = schedule if schedule is not None and schedule.is_active else None
    return Snapshot(subscription, active, sold.lookup_keys)
