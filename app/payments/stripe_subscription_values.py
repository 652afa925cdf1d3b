"""Stripe's subscriptions, schedules and previews as values of the gateway, and changes as Stripe's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import stripe

from app.payments.gateway_errors import GatewayRefused
from app.payments.stripe_values import (
    credit_to_apply,
    id_of,
    line_value,
    moment,
    optional,
    subtotal_after_discounts,
    tax_line_values,
    texts,
)
from app.payments.subscription_values import (
    ChangeBilling,
    EndReason,
    InvoicePreview,
    ItemChange,
    PendingUpdate,
    PhaseLength,
    PricedQuantity,
    ProviderSubscription,
    Schedule,
    SchedulePhase,
    SubscriptionChange,
    SubscriptionItem,
    SubscriptionStatus,
)

_END_REASON: Final = {
    "cancellation_requested": EndReason.REQUESTED,
    "payment_failed": EndReason.PAYMENT_FAILED,
    "payment_disputed": EndReason.DISPUTED,
}
# A schedule in any other status changes nothing any more.
_ACTIVE_SCHEDULE: Final = ("active", "not_started")


def subscription_value(subscription: stripe.Subscription) -> ProviderSubscription:
    """A subscription as a value; raises `GatewayRefused` for one with more items than Stripe tells at once."""
    items = subscription["items"]
    if items.has_more:
        raise GatewayRefused(f"subscription {subscription.id} has more than {len(items.data)} items")
    details = subscription.cancellation_details
    reason = details.reason if details is not None else None
    return ProviderSubscription(
        id=subscription.id,
        customer_id=id_of(subscription.customer) or "",
        status=SubscriptionStatus(subscription.status.upper()),
        currency=subscription.currency.upper(),
        items=tuple(_item(item) for item in items.data),
        started_at=_at(subscription.start_date),
        ends_at=moment(subscription.ended_at or subscription.cancel_at),
        ends_at_period_end=subscription.cancel_at_period_end,
        end_reason=_END_REASON.get(reason, EndReason.OTHER) if reason is not None else None,
        schedule_id=id_of(subscription.schedule),
        latest_invoice_id=id_of(subscription.latest_invoice),
        pending_update=_pending(subscription),
        default_card_id=id_of(subscription.default_payment_method),
        tax_rate_ids=tuple(rate.id for rate in subscription.default_tax_rates or ()),
        is_collection_paused=subscription.pause_collection is not None,
        has_discount=bool(subscription.discounts),
        metadata=texts(subscription.metadata),
        canceled_at=moment(subscription.canceled_at),
    )


def schedule_value(schedule: stripe.SubscriptionSchedule) -> Schedule:
    """A schedule as a value."""
    current = schedule.current_phase
    return Schedule(
        id=schedule.id,
        subscription_id=id_of(schedule.subscription),
        is_active=schedule.status in _ACTIVE_SCHEDULE,
        phases=tuple(_phase(phase) for phase in schedule.phases),
        phase_started_at=moment(current.start_date) if current is not None else None,
    )


def preview_value(
    invoice: stripe.Invoice,
    lines: Sequence[stripe.InvoiceLineItem],
    tax_rates: Mapping[str, tuple[str, Decimal]],
) -> InvoicePreview:
    """A preview as a value; `tax_rates` gives the name and percentage of each tax rate on it by id."""
    return InvoicePreview(
        currency=invoice.currency.upper(),
        lines=tuple(line_value(line) for line in lines),
        tax_lines=tax_line_values(invoice, tax_rates),
        subtotal_minor=subtotal_after_discounts(invoice),
        tax_minor=sum(tax.amount for tax in invoice.total_taxes or ()),
        total_minor=invoice.total,
        credit_applied_minor=credit_to_apply(invoice),
        due_minor=invoice.amount_due,
        charged_at=moment(optional(invoice, "next_payment_attempt")),
        others_minor=sum(_with_tax(line) for line in lines if not _is_of_subscription(line)),
    )


def _is_of_subscription(line: stripe.InvoiceLineItem) -> bool:
    parent = optional(line, "parent")
    details = [optional(parent, name) for name in ("subscription_item_details", "invoice_item_details")]
    return any(optional(each, "subscription") is not None for each in details)


def _with_tax(line: stripe.InvoiceLineItem) -> int:
    discounts = sum(off.amount for off in optional(line, "discount_amounts") or ())
    taxes = optional(line, "taxes") or ()
    return line.amount - discounts + sum(tax.amount for tax in taxes if tax.tax_behavior == "exclusive")


def change_params(change: SubscriptionChange) -> dict[str, Any]:
    """The parameters by which a change is made, and previewed: they are the same, so that the amounts are."""
    at_once = change.billing is ChangeBilling.AT_ONCE
    params: dict[str, Any] = {
        "items": [item_params(item) for item in change.items],
        "proration_behavior": "always_invoice" if at_once else "none",
    }
    # without proration the moment has no meaning, and Stripe refuses it in a preview
    if change.prorated_at is not None and at_once:
        params["proration_date"] = int(change.prorated_at.timestamp())
    if change.restarts_period:
        params["billing_cycle_anchor"] = {"type": "now"}
    return params


def phase_params(phase: SchedulePhase) -> dict[str, Any]:
    """The parameters of a phase."""
    params: dict[str, Any] = {
        "items": [{"price": item.price_id, "quantity": item.quantity} for item in phase.items],
        "proration_behavior": "none",
        "metadata": dict(phase.metadata),
    }
    if phase.tax_rate_ids:
        params["default_tax_rates"] = list(phase.tax_rate_ids)
    if phase.card_id is not None:
        params["default_payment_method"] = phase.card_id
    if phase.restarts_period:
        params["billing_cycle_anchor"] = "phase_start"
    if phase.starts_at is not None:
        params["start_date"] = int(phase.starts_at.timestamp())
    if isinstance(phase.ends_at, PhaseLength):
        params["duration"] = {"interval": phase.ends_at.lower(), "interval_count": 1}
    else:
        params["end_date"] = int(phase.ends_at.timestamp())
    return params


def item_params(item: ItemChange) -> dict[str, Any]:
    """The parameters of what becomes of an item."""
    if item.item_id is None:
        return {"price": item.price_id, "quantity": item.quantity}
    if item.quantity == 0:
        return {"id": item.item_id, "deleted": True}
    return {"id": item.item_id, "price": item.price_id, "quantity": item.quantity}


def _item(item: stripe.SubscriptionItem) -> SubscriptionItem:
    recurring = item.price.recurring
    return SubscriptionItem(
        id=item.id,
        price_id=item.price.id,
        lookup_key=item.price.lookup_key,
        quantity=item.quantity or 0,
        interval=recurring.interval if recurring is not None else "month",
        interval_count=recurring.interval_count if recurring is not None else 1,
        period_start=_at(item.current_period_start),
        period_end=_at(item.current_period_end),
    )


def _pending(subscription: stripe.Subscription) -> PendingUpdate | None:
    pending = subscription.pending_update
    if pending is None:
        return None
    return PendingUpdate(
        expires_at=_at(pending.expires_at),
        items=tuple(PricedQuantity(item.price.id, item.quantity or 0) for item in pending.subscription_items or ()),
        metadata=texts(optional(pending, "metadata")),
    )


def _phase(phase: Any) -> SchedulePhase:
    return SchedulePhase(
        items=tuple(PricedQuantity(id_of(item.price) or "", item.quantity or 0) for item in phase["items"]),
        ends_at=_at(phase.end_date),
        starts_at=_at(phase.start_date),
        restarts_period=phase.billing_cycle_anchor == "phase_start",
        tax_rate_ids=tuple(id_of(rate) or "" for rate in phase.default_tax_rates or ()),
        card_id=id_of(phase.default_payment_method),
        metadata=texts(phase.metadata),
    )


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
