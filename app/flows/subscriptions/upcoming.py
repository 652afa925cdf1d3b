"""Asks the provider for the next bill of a workspace, and keeps what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

import structlog

from app.billing.subscriptions.billed_lines import line_origins
from app.billing.subscriptions.upcoming import ASK_AGAIN_AFTER, UpcomingInvoice, kept_invoice, upcoming_as_json
from app.catalog import Catalog
from app.db.engine import Session
from app.db.reads import read_many
from app.db.tables.subscriptions import SubscriptionRow
from app.db.unit_of_work import transact
from app.errors import Unavailable
from app.flows.flow_context import FlowContext
from app.ids import uuid7
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable, NothingToBill
from app.payments.subscription_values import InvoicePreview
from app.store import subscriptions as subscription_store
from app.store import upcoming_invoices as upcoming_invoice_store
from app.store.subscriptions import KeptUpcomingInvoice

T = TypeVar("T")

# longer than the two calls of an asker may take
_CLAIM_LASTS: Final = timedelta(minutes=3)
_WAITS_SECONDS: Final = 15.0
_POLL_EVERY_SECONDS: Final = 0.1

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def refresh_upcoming(context: FlowContext, workspace_id: UUID) -> None:
    """Ask the provider for the next bill, unless it told it for this version of the subscription a moment ago.

    Where somebody else is asking, nothing is done. Never raises because the provider is away or refuses: the last one stands.
    """
    claim_id = uuid7()

    async def claim(session: Session) -> SubscriptionRow | None:
        until = session.real_now + _CLAIM_LASTS
        return await upcoming_invoice_store.claim(
            session, workspace_id, claim_id, until=until, ask_again_after=ASK_AGAIN_AFTER
        )

    subscription = await transact(context.database, claim, step="upcoming.claim")
    if subscription is None or subscription.provider_id is None:
        return
    try:
        await _ask(context, subscription, subscription.provider_id, claim_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        _log.warning("upcoming.not_told", workspace=str(workspace_id), error=str(error))
        await transact(
            context.database,
            lambda session: upcoming_invoice_store.end_claim(session, workspace_id, claim_id),
            step="upcoming.end_claim",
        )


async def upcoming_invoice(context: FlowContext, workspace_id: UUID, version: int) -> UpcomingInvoice | None:
    """The next bill for a version of the subscription, or a newer one, asked for if need be; None where nothing will be billed.

    Where the provider does not answer, the last one stands, also that of an older version. Raises `Unavailable` if it never did.
    """
    await refresh_upcoming(context, workspace_id)
    kept = await _told(context, workspace_id, version)
    if kept is None or kept.version is None:
        raise Unavailable
    return kept_invoice(kept)


async def _told(context: FlowContext, workspace_id: UUID, version: int) -> KeptUpcomingInvoice | None:
    """What is kept. Where it is older and somebody is asking, their answer is waited for."""
    ends_at = asyncio.get_running_loop().time() + _WAITS_SECONDS
    while True:
        found = await read_many(context.database, subscription_store.UPCOMING_INVOICES, [workspace_id])
        kept = found[0] if found else None
        is_current = kept is None or (kept.version is not None and kept.version >= version)
        is_asked_for = kept is not None and kept.is_claimed(context.database.clock.real_now())
        if is_current or not is_asked_for or asyncio.get_running_loop().time() >= ends_at:
            return kept
        await asyncio.sleep(_POLL_EVERY_SECONDS)


async def _ask(context: FlowContext, subscription: SubscriptionRow, provider_id: str, claim_id: UUID) -> None:
    """Ask and keep the answer. Raises `GatewayUnavailable` and `GatewayRefused`."""
    preview = await _unless_nothing(context.gateway.preview_next(provider_id))
    recurring = await _unless_nothing(context.gateway.preview_recurring(provider_id, ()))

    async def keep(session: Session) -> None:
        invoice = await _as_json(session, context.catalog, subscription, preview) if preview is not None else None
        await upcoming_invoice_store.keep(
            session,
            subscription.workspace_id,
            claim_id,
            version=subscription.version,
            invoice=invoice,
            recurring_total_minor=recurring.total_minor if recurring is not None else None,
        )

    await transact(context.database, keep, step="upcoming.keep")


async def _as_json(
    session: Session, catalog: Catalog, subscription: SubscriptionRow, preview: InvoicePreview
) -> dict[str, object]:
    bought_on = [subscription.terms_id] if subscription.terms_id is not None else []
    origins = await line_origins(session, catalog, subscription.workspace_id, preview.lines, bought_on)
    return upcoming_as_json(preview, origins, at=subscription.period_end or session.now)


async def _unless_nothing(asked: Awaitable[T]) -> T | None:
    try:
        return await asked
    except NothingToBill:
        return None
