"""What the worker finds to do by itself: which work falls due at a time, and which flow does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from app.accounts import purge
from app.accounts.avatars import user_avatars
from app.accounts.avatars.stored_images import AvatarImages
from app.accounts.security.secrets import Keys
from app.billing.purchases import credit_movements
from app.billing.subscriptions.subscription_states import CHECK_EVERY
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.flows import provider_events
from app.flows.deletion import deletions
from app.flows.flow_context import FlowContext
from app.flows.invoices.history_import import import_history
from app.flows.moves.move import resume_move
from app.flows.provider.cards import check_due_cards
from app.flows.provider.customers import update_customer
from app.flows.provider.tax_details import sync_details
from app.flows.purchases import reconcile
from app.flows.purchases import refunds as refund_flows
from app.flows.subscriptions.advance import resume_change
from app.flows.subscriptions.automatic_seats import seat_waiting
from app.flows.subscriptions.checkout import check_due_checkout
from app.flows.subscriptions.endings import check_subscription
from app.idempotency import KEYS_KEPT
from app.jobs.schedule import DueWork, Every, each_alone
from app.store import billing_accounts as billing_account_store
from app.store import billing_details as billing_details_store
from app.store import customer_imports as customer_import_store
from app.store import customers as customer_store
from app.store import deletions as deletion_store
from app.store import plan_moves as plan_move_store
from app.store import provider_events as provider_event_store
from app.store import purchases as purchase_store
from app.store import refunds as refund_store
from app.store import seat_requests as seat_request_store
from app.store import subscription_checkouts as subscription_checkout_store
from app.store import subscriptions as subscription_store
from app.store import trial_uses as trial_use_store

_BATCH = 50
_POLL_EVERY = timedelta(seconds=2)
_CLEAN_EVERY = timedelta(hours=1)
_RETURNS_EVERY = timedelta(hours=1)
_GIVEN_UP_EVERY = timedelta(hours=1)
# as long as the provider keeps its events
_EVENTS_KEPT = timedelta(days=30)
# longer than the queue tries a job
_GIVEN_UP_AFTER = timedelta(hours=4)
_ENDPOINT_EVERY = timedelta(minutes=5)
# what happened less long ago may be on its way
_DELIVERED_WITHIN = timedelta(seconds=30)
# events do not come into the provider's list in exactly the order of their times
_LOOKS_OVERLAP = timedelta(minutes=10)
# a process that ended may have missed some before the newest that it received
_FIRST_LOOK_OVERLAPS = timedelta(hours=1)


def due_works(flow_context: FlowContext, keys: Keys, *, polled_events: Sequence[str]) -> list[DueWork]:
    """What falls due: grants and holds that lapse, purchases to reconcile, cards to look for, refunds and deletions to resume,
    checks for returned money, events that the queue gave up to process, old rows to delete; with `polled_events` also polling for
    these events.
    """
    works = [
        DueWork(
            "credits",
            credit_movements.next_due_at,
            lambda: credit_movements.run_due(flow_context.database, limit=_BATCH),
        ),
        DueWork("purchases", purchase_store.next_check_at, lambda: _reconcile_purchases(flow_context)),
        DueWork("cards", billing_account_store.next_cards_check_at, lambda: _check_cards(flow_context)),
        DueWork("checkouts", subscription_checkout_store.next_check_at, lambda: _check_checkouts(flow_context)),
        DueWork("changes", subscription_store.next_change_check_at, lambda: _resume_changes(flow_context)),
        DueWork("plan_moves", plan_move_store.next_check_at, lambda: _resume_moves(flow_context)),
        DueWork("seats", seat_request_store.next_check_at, lambda: _seat_waiting(flow_context)),
        DueWork(
            "subscriptions",
            subscription_store.next_check_at,
            lambda: _check_subscriptions(flow_context),
            # also those that were not fetched for a day
            looks_always=True,
        ),
        DueWork("refunds", refund_store.next_check_at, lambda: _resume_refunds(flow_context)),
        DueWork("deletions", None, lambda: _resume_deletions(flow_context, keys)),
        DueWork(
            "returns",
            None,
            Every(flow_context.database, _RETURNS_EVERY, lambda: _check_for_returned_money(flow_context)).run,
        ),
        DueWork(
            "given_up_events",
            None,
            Every(flow_context.database, _GIVEN_UP_EVERY, lambda: _process_given_up_events(flow_context)).run,
        ),
        DueWork("old_rows", None, Every(flow_context.database, _CLEAN_EVERY, lambda: _clean(flow_context)).run),
    ]
    if polled_events:
        poll = Every(
            flow_context.database, _POLL_EVERY, lambda: provider_events.poll(flow_context, tuple(polled_events))
        )
        works.append(DueWork("provider_events", None, poll.run))
    return works


def provider_works(
    flow_context: FlowContext,
    check_endpoint: Callable[[], Awaitable[None]],
    *,
    event_types: Sequence[str],
    look_every: timedelta,
    at_once: bool,
) -> list[DueWork]:
    """What is looked at from time to time, since nobody reports it: the endpoint for events, and events that never arrived.

    `look_every` is for the latter, never for zero; with `at_once` the first time is now. A start has checked the endpoint already.
    """

    async def check() -> int:
        await check_endpoint()
        return 0

    checking = Every(flow_context.database, _ENDPOINT_EVERY, check, at_once=False)
    works = [DueWork("event_endpoint", None, checking.run)]
    if look_every:
        missed = _MissedEvents(flow_context, event_types)
        looking = Every(flow_context.database, look_every, missed.receive, at_once=at_once)
        works.append(DueWork("missed_events", None, looking.run))
    return works


def customer_works(flow_context: FlowContext) -> list[DueWork]:
    """What falls due with customers at the payment provider, which may be all of them after an upgrade: carrying what is true."""
    return [
        DueWork("customers", None, lambda: _update_customers(flow_context)),
        DueWork("details", None, lambda: _sync_details(flow_context)),
        DueWork("imports", None, lambda: _go_on_importing(flow_context)),
    ]


def storage_works(database: Database, images: AvatarImages) -> list[DueWork]:
    """What falls due at the object storage, which may be slow: erasing images that no user shows any more."""

    async def erase() -> int:
        return await user_avatars.erase_leftovers(database, images, limit=_BATCH)

    return [DueWork("avatars", user_avatars.next_leftover_at, erase)]


async def _reconcile_purchases(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await purchase_store.due(session, limit=_BATCH)
    return await each_alone(
        "purchases",
        due,
        lambda workspace_id, purchase_id: reconcile.reconcile_due_purchase(flow_context, workspace_id, purchase_id),
    )


async def _check_cards(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await billing_account_store.cards_due(session, limit=_BATCH)
    # a workspace has one wallet, so its own id stands in the object's place
    pairs = [(workspace_id, workspace_id) for workspace_id in due]
    return await each_alone("cards", pairs, lambda workspace_id, _: check_due_cards(flow_context, workspace_id))


async def _check_checkouts(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await subscription_checkout_store.due(session, limit=_BATCH)
    return await each_alone(
        "checkouts",
        due,
        lambda workspace_id, checkout_id: check_due_checkout(flow_context, workspace_id, checkout_id),
    )


async def _resume_changes(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await subscription_store.changes_due(session, limit=_BATCH)
    return await each_alone(
        "changes", due, lambda workspace_id, change_id: resume_change(flow_context, workspace_id, change_id)
    )


async def _resume_moves(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await plan_move_store.due(session, limit=_BATCH)
    return await each_alone(
        "plan_moves", due, lambda workspace_id, move_id: resume_move(flow_context, workspace_id, move_id)
    )


async def _seat_waiting(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await seat_request_store.due(session, limit=_BATCH)
    # all who wait in a workspace are seated together, so its own id stands in the object's place
    pairs = [(workspace_id, workspace_id) for workspace_id in due]
    return await each_alone("seats", pairs, lambda workspace_id, _: seat_waiting(flow_context, workspace_id))


async def _check_subscriptions(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        since = session.now - CHECK_EVERY
        due = await subscription_store.due(session, unchecked_since=since, limit=_BATCH)
    # a workspace has one subscription, so its own id stands in the object's place
    pairs = [(workspace_id, workspace_id) for workspace_id in due]
    return await each_alone(
        "subscriptions", pairs, lambda workspace_id, _: check_subscription(flow_context, workspace_id)
    )


async def _resume_refunds(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await refund_store.due(session, limit=_BATCH)
    return await each_alone(
        "refunds",
        due,
        lambda workspace_id, refund_id: refund_flows.resume_refund(flow_context, workspace_id, refund_id),
    )


async def _update_customers(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await customer_store.due(session, limit=_BATCH)
    pairs = [(workspace_id, workspace_id) for workspace_id in due]
    return await each_alone("customers", pairs, lambda workspace_id, _: update_customer(flow_context, workspace_id))


async def _sync_details(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await billing_details_store.due(session, limit=_BATCH)
    pairs = [(workspace_id, workspace_id) for workspace_id in due]
    return await each_alone("details", pairs, lambda workspace_id, _: sync_details(flow_context, workspace_id))


async def _go_on_importing(flow_context: FlowContext) -> int:
    async with flow_context.database.read() as session:
        due = await customer_import_store.due(session, limit=_BATCH)
    pairs = [(workspace_id, workspace_id) for workspace_id in due]
    return await each_alone("imports", pairs, lambda workspace_id, _: import_history(flow_context, workspace_id))


async def _resume_deletions(flow_context: FlowContext, keys: Keys) -> int:
    async with flow_context.database.read() as session:
        due = await deletion_store.due(session, limit=_BATCH)
    # a deletion belongs to no single workspace, so its own id stands in the workspace's place
    pairs = [(deletion_id, deletion_id) for deletion_id in due]
    return await each_alone(
        "deletions", pairs, lambda _, deletion_id: deletions.resume_deletion(flow_context, keys, deletion_id)
    )


async def _check_for_returned_money(flow_context: FlowContext) -> int:
    return await provider_events.check_for_returned_money(
        flow_context, flow_context.database.clock.now() - _EVENTS_KEPT
    )


async def _process_given_up_events(flow_context: FlowContext) -> int:
    now = flow_context.database.clock.real_now()
    since, until = now - _EVENTS_KEPT, now - _GIVEN_UP_AFTER
    await provider_events.process_given_up(flow_context, since=since, until=until)
    # tried once in its time: those that fail again are not to be tried again at once
    return 0


async def _clean(flow_context: FlowContext) -> int:
    await transact(flow_context.database, purge.purge_expired, step="clean")
    await transact(flow_context.database, trial_use_store.forget_lapsed, step="clean.trials")
    await transact(flow_context.database, credit_movements.forget_keys, step="clean.keys")
    await transact(flow_context.database, _forget_changes, step="clean.changes")
    return 0


async def _forget_changes(session: Session) -> None:
    await subscription_store.forget_changes(session, session.now - KEYS_KEPT)
    await subscription_checkout_store.forget(session, session.now - KEYS_KEPT)


class _MissedEvents:
    """The events that never arrived, looked for in the provider's list since the last look."""

    def __init__(self, flow_context: FlowContext, event_types: Sequence[str]) -> None:
        self._context = flow_context
        self._event_types = event_types
        self._looked_until: datetime | None = None

    async def receive(self) -> int:
        now = self._context.database.clock.now()
        since = await self._since(now)
        until = now - _DELIVERED_WITHIN
        missed = await provider_events.receive_missed(self._context, self._event_types, since=since, until=until)
        self._looked_until = until
        return missed

    async def _since(self, now: datetime) -> datetime:
        if self._looked_until is not None:
            return self._looked_until - _LOOKS_OVERLAP
        async with self._context.database.read() as session:
            newest = await provider_event_store.newest_at(session)
        return max((newest or now) - _FIRST_LOOK_OVERLAPS, now - _EVENTS_KEPT)
