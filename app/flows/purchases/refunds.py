"""Refunds: requested here by an operator or for a payment that came too late, or made at the provider, like disputes.

A refund is stored as requested, then sent outside any transaction with an idempotency key of its own. Its outcome comes from a
check of the money that was returned of the payment, the same check that the provider's events cause. The worker resumes a refund
that a crash interrupted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from app.billing.payments import invoice_mirror
from app.billing.purchases import refunds_and_disputes
from app.billing.purchases.refunds_and_disputes import SEND_WITHIN, NotRefundable, ReturnedMoneyOvertaken
from app.db.engine import Session
from app.db.tables.purchases import CreditPurchaseRow, RefundRow, RefundState
from app.db.unit_of_work import transact
from app.errors import Conflict, NotFound
from app.flows.flow_context import FlowContext
from app.money import Money
from app.payments.gateway_errors import GatewayRefused
from app.payments.gateway_values import ProviderInvoice, ReturnedMoney
from app.store import purchases as purchase_store
from app.store import refunds as refund_store
from app.store.refunds import InvoiceToCheck

_MOST_CHECKS: Final = 10
_NOTHING_CHARGED: Final = "Nothing was charged for this purchase, so there is nothing to refund."
_LATE: Final = "The payment arrived after the purchase had ended, and goes back to the card."
_NOT_SENT: Final = "It could not be sent in time."

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ReturnedMoneyCheck(NamedTuple):
    """A check of an invoice: the money returned of its payment, and the invoice as it was when the check was stored."""

    invoice: InvoiceToCheck
    returned: ReturnedMoney


async def sync_returned_money(context: FlowContext, invoice_id: str) -> None:
    """Check how much was returned of a mirrored invoice's payment, and bring purchase, credits and refunds in line with it.

    `invoice_id` is the provider's. Safe to run twice, concurrently, and in any order. Raises `GatewayUnavailable`, and
    `PurchaseUnfinished` while the purchase is not finished.
    """
    first: int | None = None
    while True:
        async with context.database.read() as session:
            invoice = await refund_store.invoice_to_check(session, invoice_id)
        if invoice is None:
            return
        first = invoice.checks if first is None else first
        if invoice.checks >= first + 2:
            # The second check stored since this call began was itself begun after the first was stored, hence after this call
            # began: it has seen everything that this call would see.
            return
        try:
            await _check(context, invoice, invoice_id)
        except ReturnedMoneyOvertaken:
            continue
        return


async def _check(context: FlowContext, invoice: InvoiceToCheck, invoice_id: str) -> ReturnedMoneyCheck | None:
    """Ask the provider once and store what it has; None where no card paid the invoice.

    Raises `ReturnedMoneyOvertaken` when another check was stored meanwhile.
    """
    returned = await context.gateway.returned_money(invoice_id)
    if returned is None:
        return None
    await transact(
        context.database,
        lambda session: refunds_and_disputes.apply_returned_money(session, invoice, invoice_id, returned),
        step="returns.apply",
    )
    return ReturnedMoneyCheck(invoice._replace(checks=invoice.checks + 1), returned)


async def refund_purchase(
    context: FlowContext, workspace_id: UUID, purchase_id: UUID, *, amount: Decimal | None, reason: str | None
) -> RefundRow:
    """Refund `amount` of a purchase in whole units of its currency, or all that is left of it, as an operator.

    Returns the refund as it is now: SUCCEEDED, or PENDING while the provider waits for the bank. A refund of the same amount that
    was requested before and has no outcome yet is resumed instead. Raises `NotFound`, `InvalidInput`, `NotRefundable` with the
    reason, `Conflict` while a refund of another amount is under way, and `GatewayUnavailable`: then the refund may have happened or
    not, and the worker resumes it.
    """
    async with context.database.read() as session:
        purchase = await purchase_store.find(session, workspace_id, purchase_id)
        requested = await refund_store.requested(session, workspace_id, purchase_id)
    if purchase is None:
        raise NotFound
    amount_minor = Money.of(amount, purchase.currency).minor if amount is not None else None
    if purchase.charged_at is None or purchase.invoice_id is None:
        raise NotRefundable(_NOTHING_CHARGED)
    if requested is not None and requested.amount_minor == amount_minor:
        return await _resume(context, requested, purchase.invoice_id)
    refund = await _request(context, purchase.invoice_id, amount_minor=amount_minor, reason=reason, by_operator=True)
    return await _send(context, refund, purchase.invoice_id)


async def refund_late_payment(
    context: FlowContext, purchase: CreditPurchaseRow, invoice: ProviderInvoice
) -> CreditPurchaseRow:
    """Refund in full a payment of a purchase that had already ended. It grants no credits, and the purchase's `failure` says so.

    `invoice` is the paid invoice, just fetched. Safe to run twice, also concurrently. A refund that the bank returned is not
    repeated: an operator has to decide. Raises `GatewayUnavailable`: then it is to be retried.
    """

    async def note(session: Session) -> str | None:
        failure = await refunds_and_disputes.note_late_payment(session, purchase, invoice.id, failure=_LATE)
        if failure is not None:
            await invoice_mirror.mirror(session, purchase.workspace_id, invoice)
        return failure

    async def end(session: Session) -> None:
        await refunds_and_disputes.end_late_payment(session, purchase.workspace_id, purchase.id)

    failure = await transact(context.database, note, step="refund.late")
    if failure is not None:
        try:
            refund = await _request(context, invoice.id, amount_minor=None, reason=failure, by_operator=False)
            await _send(context, refund, invoice.id)
        except NotRefundable as refused:
            # refunded or charged back already, or paid without a card: there is nothing to refund
            _log.info("late_payment.not_refunded", purchase=str(purchase.id), reason=refused.message)
            await transact(context.database, end, step="refund.late_end")
    async with context.database.read() as session:
        return await purchase_store.find(session, purchase.workspace_id, purchase.id) or purchase


async def resume_refund(context: FlowContext, workspace_id: UUID, refund_id: UUID) -> RefundRow | None:
    """Resume a refund that was interrupted, perhaps before it was sent; None if there is no such refund.

    Raises `GatewayUnavailable`, and whatever else went wrong; the worker then tries again later.
    """
    async with context.database.read() as session:
        refund = await refund_store.find(session, workspace_id, refund_id)
        purchase = await purchase_store.find(session, workspace_id, refund.purchase_id) if refund is not None else None
    if refund is None or purchase is None or purchase.invoice_id is None:
        return None
    try:
        return await _resume(context, refund, purchase.invoice_id)
    except NotRefundable:
        return await _read(context, refund)
    except Exception:
        # whatever it was, this refund is checked later, after the others
        key = (refund.workspace_id, refund.purchase_id, refund.id)
        await transact(
            context.database,
            lambda session: refunds_and_disputes.check_later(session, *key),
            step="refund.look_later",
        )
        raise


async def _resume(context: FlowContext, refund: RefundRow, invoice_id: str) -> RefundRow:
    """Check whether the provider has the refund; if not, send it with the same key. After `SEND_WITHIN` it fails instead."""
    await sync_returned_money(context, invoice_id)
    refund = await _read(context, refund)
    if refund.status != RefundState.REQUESTED:
        return refund
    if context.database.clock.now() >= refund.created_at + SEND_WITHIN:
        await _fail(context, refund, _NOT_SENT)
        return await _read(context, refund)
    return await _send(context, refund, invoice_id)


async def _request(
    context: FlowContext, invoice_id: str, *, amount_minor: int | None, reason: str | None, by_operator: bool
) -> RefundRow:
    """Check the invoice and store a refund, with no other check in between; raises `Conflict` after `_MOST_CHECKS` tries."""
    for _ in range(_MOST_CHECKS):
        async with context.database.read() as session:
            invoice = await refund_store.invoice_to_check(session, invoice_id)
        try:
            check = await _check(context, invoice, invoice_id) if invoice is not None else None
            if check is None:
                raise NotRefundable(_NOTHING_CHARGED)
            return await transact(
                context.database,
                lambda session, check=check: refunds_and_disputes.request_refund(
                    session,
                    check.invoice,
                    invoice_id,
                    check.returned,
                    amount_minor=amount_minor,
                    reason=reason,
                    by_operator=by_operator,
                ),
                step="refund.request",
            )
        except ReturnedMoneyOvertaken:
            continue
    raise Conflict


async def _send(context: FlowContext, refund: RefundRow, invoice_id: str) -> RefundRow:
    """Send a refund that was stored before, and update it to what the provider then has."""
    metadata = {"refund_id": str(refund.id), "purchase_id": str(refund.purchase_id)}
    if refund.reason is not None:
        metadata["reason"] = refund.reason
    try:
        await context.gateway.refund(
            refund.payment_id, amount_minor=refund.amount_minor, metadata=metadata, key=f"refund:{refund.id}"
        )
    except GatewayRefused as refused:
        await _fail(context, refund, str(refused))
        raise NotRefundable(str(refused)) from refused
    await sync_returned_money(context, invoice_id)
    return await _read(context, refund)


async def _fail(context: FlowContext, refund: RefundRow, failure: str) -> None:
    key = (refund.workspace_id, refund.purchase_id, refund.id)
    await transact(
        context.database,
        lambda session: refunds_and_disputes.fail_refund(session, *key, failure=failure),
        step="refund.refuse",
    )


async def _read(context: FlowContext, refund: RefundRow) -> RefundRow:
    async with context.database.read() as session:
        return await refund_store.find(session, refund.workspace_id, refund.id) or refund
