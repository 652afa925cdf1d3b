"""What a change of a subscription would come to, before anybody decides: the provider's own amounts, line by line.

What is charged now is asked for with the very parameters that the change will use, so that both come to the same. Nothing changes
at the provider, and no transaction is open while it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.billing.payments.invoice_lines import lines_as_json
from app.billing.payments.payment_errors import PaymentRefused
from app.billing.payments.workspace_closing import require_open
from app.billing.subscriptions.billed_lines import line_origins
from app.billing.subscriptions.change_states import ChangeInFlight
from app.billing.subscriptions.goals import Goal, Prices, Snapshot, item_change
from app.billing.subscriptions.pending_changes import PendingChange, pending_from_json, pending_terms_id
from app.billing.subscriptions.plan_choice import PlanChoice, billed_quantities, recurring_price
from app.billing.subscriptions.planner import ChangeTiming, PlannedChange, WantedChange, plan_change, plan_start
from app.billing.subscriptions.present_state import decided, require_chargeable
from app.billing.subscriptions.quotes import QUOTE_LASTS, Quote, digest_of, sign
from app.billing.subscriptions.sold_terms import Sold, read_sold
from app.billing.subscriptions.subscription_states import present_choice
from app.billing.subscriptions.workspace_plan import require_self_serve
from app.db.reads import all_in
from app.db.tables.payments import BillingAccountRow
from app.db.tables.subscriptions import SubscriptionRow
from app.error_codes import ErrorCode
from app.errors import Conflict, DomainError
from app.flows.flow_context import FlowContext
from app.flows.provider.tax_country import tax_country
from app.flows.provider.tax_details import ensure_details
from app.flows.subscriptions.checkout_page import items_to_buy
from app.flows.subscriptions.sync import sync_subscription
from app.flows.subscriptions.unpaid_invoices import oldest_unpaid
from app.money import Money
from app.payments.gateway_errors import GatewayRefused
from app.payments.subscription_values import (
    InvoicePreview,
    SubscriptionChange,
)
from app.store import billing_accounts as billing_account_store
from app.store import memberships as membership_store
from app.store import plan_moves as plan_move_store
from app.store import subscriptions as subscription_store


class RenewalUnpaid(DomainError):
    """The last renewal is not paid yet. Wait until it is, or pay its invoice first: what this costs depends on it."""

    code = ErrorCode.PAYMENT_PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePreview:
    """What a change would come to.

    `invoice` is what would be charged now, None where nothing would, and `lines` are its lines as those of invoices are kept.
    `effective_at` is when the last part of it takes effect. `recurring_price` (at the prices) and `recurring_total` (tax included)
    are what recurs from then on. `replaces` is the pending change that this one would drop. `quote` (and until when it holds) is
    there where a subscription is charged now.
    """

    timing: ChangeTiming
    effective_at: datetime
    invoice: InvoicePreview | None
    lines: Sequence[dict[str, Any]] = ()
    recurring_price: Money
    recurring_total: Money
    replaces: PendingChange | None = None
    quote: str | None = None
    quote_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _State:
    """What is known here of a workspace at one moment."""

    workspace_id: UUID
    account: BillingAccountRow | None
    row: SubscriptionRow | None
    is_changing: bool
    used_seats: int
    sold: Sold


async def preview_change(
    context: FlowContext, workspace_id: UUID, wanted: WantedChange, *, quote_key: bytes
) -> ChangePreview:
    """What a change would come to; for a workspace without a subscription, what its first paid plan would.

    The subscription is mirrored first, since its row may be older than what the provider has. Raises what the planner refuses,
    `ChangeInFlight` and `RenewalUnpaid` while a price can't be told, `WorkspaceClosing`, `BillingAddressRequired`,
    `PaymentRefused`, and `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        require_open(await billing_account_store.find(session, workspace_id))
    try:
        await ensure_details(context, workspace_id)
        snapshot = await sync_subscription(context, workspace_id)
        state = await _read_state(context, workspace_id)
        require_open(state.account)
        if snapshot is None:
            return await _preview_start(context, workspace_id, state, wanted)
        return await _preview_change(context, state, snapshot, wanted, quote_key)
    except GatewayRefused as refused:
        raise PaymentRefused from refused


async def _read_state(context: FlowContext, workspace_id: UUID) -> _State:
    async with context.database.read() as session:
        counted = await all_in(session, membership_store.COUNTS, [workspace_id])
        return _State(
            workspace_id=workspace_id,
            account=await billing_account_store.find(session, workspace_id),
            row=await subscription_store.find(session, workspace_id),
            is_changing=await subscription_store.change_in_flight(session, workspace_id) is not None
            or await plan_move_store.under_way(session, workspace_id) is not None,
            used_seats=counted[0].members if counted else 0,
            sold=await read_sold(session, context.catalog, workspace_id),
        )


async def _preview_start(
    context: FlowContext, workspace_id: UUID, state: _State, wanted: WantedChange
) -> ChangePreview:
    """The first invoice of a first paid plan. It is paid on a page of the provider's, which tells its own price: no quote."""
    if state.row is not None and state.row.provider_id is not None:
        # a subscription began at this moment
        raise Conflict
    async with context.database.read() as session:
        await require_self_serve(session, context.catalog, workspace_id)
    choice = plan_start(context.catalog, wanted, used_seats=state.used_seats)
    customer_id = state.account.customer_id if state.account is not None else None
    items, tax_rate_ids = await items_to_buy(context, choice, await tax_country(context, state.workspace_id))
    invoice = await context.gateway.preview_start(customer_id, items, tax_rate_ids=tax_rate_ids)
    return ChangePreview(
        timing=ChangeTiming.IMMEDIATE,
        effective_at=context.database.clock.now(),
        invoice=invoice,
        lines=await _lines(context, state.workspace_id, invoice, choice.terms.id),
        recurring_price=_price(context, choice),
        # a first invoice bills one full period of everything that recurs
        recurring_total=Money(invoice.total_minor, invoice.currency),
    )


async def _preview_change(
    context: FlowContext, state: _State, snapshot: Snapshot, wanted: WantedChange, quote_key: bytes
) -> ChangePreview:
    row, sold = state.row, state.sold
    if row is None or row.provider_id != snapshot.subscription.id:
        # another one is live by now, or this one has prices that nobody here knows
        raise Conflict
    if state.is_changing:
        raise ChangeInFlight
    present = present_choice(row, sold)
    assert present is not None, "a live subscription has terms"
    before = decided(row, sold)
    planned = plan_change(
        context.catalog, present, wanted, used_seats=state.used_seats, pending=before if before != Goal(None) else None
    )
    now = context.database.clock.now()
    preview = ChangePreview(
        timing=planned.timing,
        effective_at=now if planned.timing is ChangeTiming.IMMEDIATE else snapshot.period_end,
        invoice=None,
        recurring_price=_price(context, planned.result),
        recurring_total=await _recurring_total(context, snapshot, planned, sold.prices),
        replaces=_pending(row, sold),
    )
    return preview if planned.goal.now is None else await _quoted(context, state, snapshot, planned, preview, quote_key)


async def _quoted(
    context: FlowContext,
    state: _State,
    snapshot: Snapshot,
    planned: PlannedChange,
    preview: ChangePreview,
    quote_key: bytes,
) -> ChangePreview:
    """The preview with what is charged now, and the quote for it. Raises `RenewalUnpaid`: unpaid time would be credited."""
    row, goal = state.row, planned.goal
    assert row is not None, "what is changed has a row"
    assert goal.now is not None, "something is charged now"
    require_chargeable(snapshot)
    await tax_country(context, row.workspace_id)
    now = context.database.clock.now()
    if now >= snapshot.period_end or await oldest_unpaid(context, snapshot.subscription) is not None:
        raise RenewalUnpaid
    # whole seconds, as the provider counts; our clock may be a little behind the one that began the period
    prorated_at = max(now.replace(microsecond=0), snapshot.period_start)
    change = _change(snapshot, goal.now, state.sold.prices, prorated_at=prorated_at)
    invoice = await context.gateway.preview_change(snapshot.subscription.id, change)
    expires_at = min(prorated_at + QUOTE_LASTS, snapshot.period_end)
    if planned.timing is ChangeTiming.MIXED:
        # what is charged now may have made the period a year
        ends = [line.period_end for line in invoice.lines if line.is_proration and line.period_end is not None]
        preview = replace(preview, effective_at=max([snapshot.period_end, *ends]))
    quote = Quote(
        workspace_id=row.workspace_id,
        version=row.version,
        change=digest_of(goal),
        prorated_at=prorated_at,
        total_minor=invoice.total_minor,
        tax_minor=invoice.tax_minor,
        due_minor=invoice.due_minor,
        expires_at=expires_at,
    )
    lines = await _lines(context, row.workspace_id, invoice, goal.now.terms.id, row.terms_id)
    return replace(preview, invoice=invoice, lines=lines, quote=sign(quote_key, quote), quote_expires_at=expires_at)


async def _lines(
    context: FlowContext, workspace_id: UUID, invoice: InvoicePreview, *terms_ids: str | None
) -> Sequence[dict[str, Any]]:
    """The lines, with the plan or the add-on that each bills, on the first of these terms that have its price."""
    async with context.database.read() as session:
        bought_on = [each for each in terms_ids if each is not None]
        origins = await line_origins(session, context.catalog, workspace_id, invoice.lines, bought_on)
    return lines_as_json(invoice.lines, origins)


async def _recurring_total(context: FlowContext, snapshot: Snapshot, planned: PlannedChange, prices: Prices) -> Money:
    """What recurs once all of it is in effect, tax included; nothing once the subscription has ended."""
    if planned.result is None:
        return Money(0, context.catalog.currency)
    items = _change(snapshot, planned.result, prices).items
    recurring = await context.gateway.preview_recurring(snapshot.subscription.id, items)
    return Money(recurring.total_minor, recurring.currency)


def _change(
    snapshot: Snapshot, choice: PlanChoice, prices: Prices, *, prorated_at: datetime | None = None
) -> SubscriptionChange:
    """The change that makes the subscription bill a choice; raises `GatewayRefused` if a price was not synced."""
    if not prices.ids.keys() >= billed_quantities(prices.catalog, choice).keys():
        raise GatewayRefused("the catalog has not been synced to the provider: run `counterfoil catalog sync`")
    return item_change(snapshot, choice, prices, prorated_at=prorated_at)


def _price(context: FlowContext, choice: PlanChoice | None) -> Money:
    price = recurring_price(choice, context.catalog.currency) if choice is not None else None
    return price or Money(0, context.catalog.currency)


def _pending(row: SubscriptionRow, sold: Sold) -> PendingChange | None:
    if row.pending is None:
        return None
    terms_id = pending_terms_id(row.pending)
    return pending_from_json(row.pending, sold.by_id[terms_id] if terms_id is not None else None)
