"""Checkout: the hosted page on which a workspace begins to subscribe. A workspace has one open; opening another closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from app import idempotency
from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.accounts.workspaces.phone_verification import require_phone
from app.billing.payments.payment_errors import PaymentRefused, PaymentUnavailable
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions import change_states, checkout_states
from app.billing.subscriptions.plan_choice import choice_from_json
from app.billing.subscriptions.planner import WantedChange, plan_start
from app.billing.subscriptions.sold_terms import read_sold
from app.billing.subscriptions.workspace_plan import require_self_serve
from app.catalog import Catalog
from app.db.engine import Session
from app.db.reads import all_in
from app.db.tables.subscriptions import CheckoutState, SubscriptionCheckoutRow
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import Conflict, DomainError, IdempotencyConflict
from app.flows.flow_context import FlowContext
from app.flows.provider.customers import with_customer
from app.flows.subscriptions.checkout_page import open_page
from app.flows.subscriptions.default_card import adopt_card_of_checkout
from app.flows.subscriptions.sync import sync_subscription
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.payments.gateway_values import Checkout, CheckoutStatus, ReturnUrls
from app.store import billing_accounts as billing_account_store
from app.store import memberships as membership_store
from app.store import subscription_checkouts as subscription_checkout_store
from app.store import subscriptions as subscription_store
from app.store import workspaces as workspace_store

OPEN_FOR: Final = timedelta(minutes=30)
# The provider wants at least 30 minutes from when the request arrives there, which is later than when it was made.
_REQUEST_TAKES: Final = timedelta(minutes=1)
_REPLAY_WAITS_SECONDS: Final = 20.0
_POLL_EVERY_SECONDS: Final = 0.1

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]
Count = Callable[[Session], Awaitable[None]]

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class AlreadySubscribed(DomainError):
    """This workspace has a paid plan: change it with changePlan."""

    code = ErrorCode.CONFLICT


class CheckoutClosed(DomainError):
    """This page has closed. Ask for another one, with another idempotency key."""

    code = ErrorCode.CONFLICT


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """A request for a page to subscribe on; `return_urls` judges the addresses to come back to, which only a new page needs."""

    workspace_id: UUID
    wanted: WantedChange
    idempotency_key: str
    return_urls: Callable[[], ReturnUrls]
    actor: Actor

    @property
    def input_hash(self) -> bytes:
        """What the idempotency key is bound to."""
        wanted = self.wanted
        add_ons = sorted((wanted.add_ons or {}).items())
        return idempotency.input_hash(wanted.plan_code, wanted.interval, wanted.seats, add_ons)


async def open_checkout(context: FlowContext, request: CheckoutRequest, authorize: Authorize, count: Count) -> str:
    """Open a page for the first paid plan, close the one open before, and return its address.

    `authorize` and `count` work in the transaction that writes the page down. Raises what the planner refuses, `AlreadySubscribed`,
    `ChangeInFlight`, `CheckoutClosed`, `IdempotencyConflict`, `BillingAddressRequired`, `PaymentUnavailable` and `PaymentRefused`.
    """
    async with context.database.read() as session:
        earlier = await _earlier(session, request)
    if earlier is not None and (url := await _answer_again(context, earlier)) is not None:
        return url
    urls = request.return_urls()
    try:
        await sync_subscription(context, request.workspace_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error

    async def begin(session: Session) -> tuple[SubscriptionCheckoutRow, bool]:
        access = await authorize(session)
        return await _begin(session, context.catalog, request, access, count)

    row, is_new = await transact(context.database, begin, step="subscribe.begin")
    if not is_new:
        url = await _answer_again(context, row)
        if url is None:
            raise PaymentUnavailable
        return url
    try:
        return await _open(context, row, urls)
    except GatewayUnavailable as error:
        await _close(context, row, frees_key=True)
        raise PaymentUnavailable from error
    except GatewayRefused as error:
        await _close(context, row, frees_key=True)
        _log.warning("subscribe.refused", checkout=str(row.id), reason=str(error))
        raise PaymentRefused from error
    except DomainError:
        await _close(context, row, frees_key=True)
        raise


async def _begin(
    session: Session, catalog: Catalog, request: CheckoutRequest, access: WorkspaceAccess, count: Count
) -> tuple[SubscriptionCheckoutRow, bool]:
    workspace_id = access.workspace.id
    await workspace_store.lock(session, workspace_id)
    account = await billing_account_store.lock(session, workspace_id)
    earlier = await _earlier(session, request)
    if earlier is not None:
        return earlier, False
    require_open(account)
    row = await subscription_store.lock(session, workspace_id)
    if row is not None and row.provider_id is not None:
        raise AlreadySubscribed
    await change_states.require_no_move(session, workspace_id)
    await require_self_serve(session, catalog, workspace_id)
    if catalog.phone_required:
        # the page saves a card
        await require_phone(session, workspace_id)
    counted = await all_in(session, membership_store.COUNTS, [workspace_id])
    choice = plan_start(catalog, request.wanted, used_seats=counted[0].members if counted else 0)
    await count(session)
    expires_at = session.now + OPEN_FOR + _REQUEST_TAKES
    made = await checkout_states.begin(
        session,
        workspace_id=workspace_id,
        choice=choice,
        key=request.idempotency_key,
        key_hash=request.input_hash,
        expires_at=expires_at,
    )
    summary = "A page to subscribe on was asked for."
    await audit_log.record(
        session, workspace_id, request.actor, "subscription.checkout_requested", summary, after=made.choice
    )
    return made, True


async def _open(context: FlowContext, row: SubscriptionCheckoutRow, urls: ReturnUrls) -> str:
    await close_pages(context, row.workspace_id, opened_before=row.id)
    async with context.database.read() as session:
        sold = await read_sold(session, context.catalog, row.workspace_id)
    choice = choice_from_json(row.choice, sold.by_id[row.choice["terms_id"]])
    page = await with_customer(
        context, row.workspace_id, lambda customer_id: open_page(context, row, choice, customer_id, urls)
    )
    is_alone = await transact(
        context.database,
        lambda session: checkout_states.opened(session, row.workspace_id, row.id, session_id=page.id, url=page.url),
        step="subscribe.opened",
    )
    if not is_alone or page.url is None:
        with suppress(GatewayUnavailable, GatewayRefused):
            await context.gateway.expire_checkout(page.id)
        raise Conflict("Another page was opened at the same moment: use that one.")
    # again: another page may have been opened before this one was stored
    await close_pages(context, row.workspace_id, opened_before=row.id)
    return page.url


async def _earlier(session: Session, request: CheckoutRequest) -> SubscriptionCheckoutRow | None:
    earlier = await subscription_checkout_store.with_key(session, request.workspace_id, request.idempotency_key)
    if earlier is not None and earlier.input_hash != request.input_hash:
        raise IdempotencyConflict(path=("input", "idempotencyKey"))
    return earlier


async def _answer_again(context: FlowContext, earlier: SubscriptionCheckoutRow) -> str | None:
    """The address of the page that was opened with the same key; None where it was not opened: it is opened now.

    Raises `CheckoutClosed`, `AlreadySubscribed` for one that was used, and `PaymentUnavailable` while it is being opened.
    """
    ends_at = asyncio.get_running_loop().time() + _REPLAY_WAITS_SECONDS
    present = earlier
    while present.state == CheckoutState.OPENING:
        if _is_given_up(context, present):
            await _close(context, present, frees_key=True)
            return None
        if asyncio.get_running_loop().time() >= ends_at:
            raise PaymentUnavailable
        await asyncio.sleep(_POLL_EVERY_SECONDS)
        async with context.database.read() as session:
            present = await subscription_checkout_store.get(session, earlier.workspace_id, earlier.id)
    match CheckoutState(present.state):
        case CheckoutState.OPEN if present.url is not None:
            return present.url
        case CheckoutState.COMPLETE | CheckoutState.SETTLED:
            raise AlreadySubscribed
        case CheckoutState.FAILED:
            return None
        case _:
            raise CheckoutClosed


def _is_given_up(context: FlowContext, row: SubscriptionCheckoutRow) -> bool:
    """Whether the process died that was opening a page: nobody was given its address."""
    return row.created_at + checkout_states.OPENING_TAKES <= context.database.clock.now()


async def close_pages(context: FlowContext, workspace_id: UUID, *, opened_before: UUID | None = None) -> None:
    """Close the pages of a workspace that may still be used, or only those from before a certain one.

    Raises `AlreadySubscribed` where one of them was used, which is settled then, `GatewayUnavailable` and `GatewayRefused`.
    """
    async with context.database.read() as session:
        rows = await subscription_checkout_store.unfinished(session, workspace_id)
    for row in rows:
        if row.session_id is not None and (opened_before is None or row.id < opened_before):
            page = await context.gateway.expire_checkout(row.session_id)
            if await _apply_outcome(context, row, page):
                raise AlreadySubscribed


async def _close(context: FlowContext, row: SubscriptionCheckoutRow, *, frees_key: bool = False) -> None:
    await transact(
        context.database,
        lambda session: checkout_states.close(session, row.workspace_id, row.id, frees_key=frees_key),
        step="subscribe.close",
    )


async def page_changed(context: FlowContext, session_id: str) -> bool:
    """Process the event that a page was used or has closed; False where the page is none on which to subscribe."""
    async with context.database.read() as session:
        row = await subscription_checkout_store.of_session(session, session_id)
    if row is None:
        return False
    await settle_checkout(context, row.workspace_id, row.id)
    return True


async def check_due_checkout(context: FlowContext, workspace_id: UUID, checkout_id: UUID) -> None:
    """What the worker does with a page that is due: look again later in any case, then `settle_checkout`."""
    await transact(
        context.database,
        lambda session: checkout_states.check_later(session, workspace_id, checkout_id),
        step="subscribe.check_due",
    )
    await settle_checkout(context, workspace_id, checkout_id)


async def settle_checkout(context: FlowContext, workspace_id: UUID, checkout_id: UUID) -> None:
    """Look what became of a page, and do what follows: mirror the subscription, let its card be charged everywhere.

    Safe to do twice. Raises `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        row = await subscription_checkout_store.get(session, workspace_id, checkout_id)
    if row.state in (CheckoutState.SETTLED, CheckoutState.FAILED, CheckoutState.EXPIRED):
        return
    if row.session_id is None:
        if _is_given_up(context, row):
            await _close(context, row, frees_key=True)
        return
    page = await context.gateway.checkout(row.session_id)
    if page.status is CheckoutStatus.OPEN and row.expires_at <= context.database.clock.now():
        page = await context.gateway.expire_checkout(row.session_id)
    await _apply_outcome(context, row, page)


async def _apply_outcome(context: FlowContext, row: SubscriptionCheckoutRow, page: Checkout) -> bool:
    """Apply what became of a page; returns whether it was used."""
    if page.status is CheckoutStatus.EXPIRED:
        await _close(context, row)
        return False
    subscription_id = page.subscription_id
    if page.status is CheckoutStatus.OPEN or subscription_id is None:
        await transact(
            context.database,
            lambda session: checkout_states.check_later(session, row.workspace_id, row.id),
            step="subscribe.check_later",
        )
        return page.status is CheckoutStatus.COMPLETE
    await transact(
        context.database,
        lambda session: checkout_states.complete(session, row.workspace_id, row.id, subscription_id),
        step="subscribe.complete",
    )
    snapshot = await sync_subscription(context, row.workspace_id)
    if snapshot is not None and snapshot.subscription.id == subscription_id:
        await adopt_card_of_checkout(context, row.workspace_id, snapshot)
    await transact(
        context.database,
        lambda session: checkout_states.settled(session, row.workspace_id, row.id),
        step="subscribe.settled",
    )
    return True


async def close_checkouts(context: FlowContext, workspace_id: UUID) -> None:
    """Close every page of a workspace that is being deleted: what was bought on one is ended after that.

    Raises `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        rows = await subscription_checkout_store.unfinished(session, workspace_id)
    for row in rows:
        if row.session_id is not None:
            await context.gateway.expire_checkout(row.session_id)
        await _close(context, row)
