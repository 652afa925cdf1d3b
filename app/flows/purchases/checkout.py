"""Checkout: hosted pages to pay on, for buyers without a card on file. A workspace has one open; opening another closes it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from app.billing.payments import card_mirror
from app.billing.payments.payment_errors import PaymentRefused, PaymentUnavailable
from app.billing.purchases import purchase_states
from app.billing.purchases.orders import Order
from app.billing.purchases.purchase_states import PurchaseOvertaken
from app.db.engine import Session
from app.db.tables.purchases import CreditPurchaseRow, PurchaseStatus
from app.db.unit_of_work import transact
from app.errors import DomainError
from app.flows.flow_context import FlowContext
from app.flows.provider.cards import try_to_sync_cards
from app.flows.provider.customers import with_customer
from app.flows.purchases.invoice_lines import send_line
from app.flows.purchases.payment_outcome import apply_payment_outcome, check_later, fail_purchase, has_expired
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, GatewayUnavailable
from app.payments.gateway_values import Checkout, CheckoutStatus, ReturnUrls
from app.store import billing_accounts as billing_account_store
from app.store import purchases as purchase_store
from app.store import subscription_checkouts as subscription_checkout_store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

OPEN_FOR: Final = timedelta(minutes=30)

# The provider wants at least 30 minutes from when the request arrives there, which is later than when it was made.
_REQUEST_TAKES: Final = timedelta(minutes=1)
UNAVAILABLE: Final = "The payment provider could not be reached; nothing was charged."
REFUSED: Final = "The payment provider refused to prepare the payment; nothing was charged."

_REPLACED: Final = "Another checkout was opened in its place."
_EXPIRED: Final = "The checkout was not paid in time."


async def open_checkout(
    context: FlowContext, purchase: CreditPurchaseRow, order: Order, urls: ReturnUrls
) -> CreditPurchaseRow:
    """Open a page to pay a pending purchase on, close the one open before, and return the purchase with the page's address.

    Raises `SpendLimitReached` when the page's total would pass the limit, `BalanceFull` when its credits would not fit (the page is
    closed before anybody saw it), `PaymentUnavailable` when the provider can't be reached, and `PaymentRefused` when it refuses to
    open a page. In all cases the purchase is given up: its key may be used again.
    """
    open_until = context.database.clock.now() + OPEN_FOR + _REQUEST_TAKES
    try:
        await _close_others(context, purchase)
        checkout = await with_customer(
            context,
            purchase.workspace_id,
            lambda customer_id: send_line(
                context,
                purchase.workspace_id,
                order,
                lambda charge, key: context.gateway.open_payment_page(
                    customer_id,
                    charge,
                    urls=urls,
                    metadata={"purchase_id": str(purchase.id), "workspace_id": str(purchase.workspace_id)},
                    expires_at=open_until,
                    key=key,
                ),
                key=f"{purchase.id}:checkout:{customer_id}",
            ),
        )
    except GatewayUnavailable as error:
        await give_up(context, purchase, reason=UNAVAILABLE)
        raise PaymentUnavailable from error
    except GatewayRefused as error:
        await give_up(context, purchase, reason=REFUSED)
        _log.warning("recharge.refused", purchase=str(purchase.id), reason=str(error))
        raise PaymentRefused from error
    except DomainError as error:
        await give_up(context, purchase, reason=error.message)
        raise
    try:
        allowed = await transact(
            context.database,
            lambda session: purchase_states.allow_checkout(
                session, context.catalog, purchase.workspace_id, purchase.id, checkout, open_until=open_until
            ),
            step="checkout.admit",
        )
        # again: another page may have been opened at the same moment, before this one was stored
        await _close_others(context, allowed)
        return allowed
    except DomainError as error:
        await give_up(context, purchase, reason=error.message)
        await _try_to_close(context, checkout)
        raise
    except PurchaseOvertaken:
        await _try_to_close(context, checkout)
        return await fail_purchase(context, purchase, None, reason=_REPLACED, status=PurchaseStatus.EXPIRED)


async def _try_to_close(context: FlowContext, checkout: Checkout) -> None:
    """Close a page whose address nobody was given; where the provider can't be reached, it expires by itself."""
    with suppress(GatewayUnavailable, GatewayRefused):
        await context.gateway.expire_checkout(checkout.id)


async def give_up(context: FlowContext, purchase: CreditPurchaseRow, *, reason: str) -> None:
    """Give up a purchase whose payment was not sent; the reconciler then discards what it left at the provider."""

    async def work(session: Session) -> None:
        await billing_account_store.lock(session, purchase.workspace_id)
        await purchase_states.give_up(session, purchase.workspace_id, purchase.id, reason=reason)

    await transact(context.database, work, step="purchase.abandon")


async def apply_checkout_outcome(context: FlowContext, purchase: CreditPurchaseRow) -> CreditPurchaseRow:
    """Fetch the page that a purchase waits for, and apply what has become of it: paid, still open, or closed."""
    checkout_id = purchase.checkout_session_id
    assert checkout_id is not None
    checkout = await context.gateway.checkout(checkout_id)
    if checkout.status is CheckoutStatus.OPEN and has_expired(context, purchase):
        checkout = await context.gateway.expire_checkout(checkout_id)
    return await _apply_outcome(context, purchase, checkout, reason=_EXPIRED)


async def close_checkout(context: FlowContext, purchase: CreditPurchaseRow, *, reason: str) -> CreditPurchaseRow:
    """Close the page that a purchase waits for, even if the buyer has it open; one that was paid before makes it succeed."""
    checkout_id = purchase.checkout_session_id
    assert checkout_id is not None
    return await _apply_outcome(context, purchase, await context.gateway.expire_checkout(checkout_id), reason=reason)


async def customer_returned(context: FlowContext, page_id: str) -> None:
    """A customer came back from a hosted page: have the worker look at once what became of it. Asks the provider nothing itself."""

    async def work(session: Session) -> None:
        purchase = await purchase_store.of_checkout(session, page_id)
        if purchase is not None:
            await purchase_states.check_soon(session, [(purchase.workspace_id, purchase.id)])
        account = await billing_account_store.of_card_page(session, page_id)
        if account is not None:
            await card_mirror.check_soon(session, account.workspace_id)
        await subscription_checkout_store.check_soon(session, page_id)

    await transact(context.database, work, step="page.returned")


async def checkout_changed(context: FlowContext, checkout_id: str) -> None:
    """Process the event that a hosted page was paid or has closed."""
    async with context.database.read() as session:
        purchase = await purchase_store.of_checkout(session, checkout_id)
    if purchase is not None:
        await apply_checkout_outcome(context, purchase)


async def close_lost_checkouts(context: FlowContext, purchase: CreditPurchaseRow, customer_ids: Sequence[str]) -> None:
    """Close pages whose id was never stored because the process died before; nobody was given their address."""
    for customer_id in customer_ids:
        # of a customer that is gone no page is open
        with suppress(GatewayMissing):
            for checkout in await context.gateway.find_checkouts(customer_id, purchase_id=str(purchase.id)):
                if checkout.status is CheckoutStatus.OPEN:
                    await context.gateway.expire_checkout(checkout.id)


async def _close_others(context: FlowContext, purchase: CreditPurchaseRow) -> None:
    async with context.database.read() as session:
        others = await purchase_store.open_checkouts(session, purchase.workspace_id)
    for other in others:
        if other.checkout_session_id is not None and other.id < purchase.id:
            closed = await context.gateway.expire_checkout(other.checkout_session_id)
            await _apply_outcome(context, other, closed, reason=_REPLACED)


async def _apply_outcome(
    context: FlowContext, purchase: CreditPurchaseRow, checkout: Checkout, *, reason: str
) -> CreditPurchaseRow:
    if checkout.status is CheckoutStatus.EXPIRED:
        return await fail_purchase(context, purchase, None, reason=reason, status=PurchaseStatus.EXPIRED)
    if checkout.status is CheckoutStatus.OPEN:
        return await check_later(context, purchase.workspace_id, purchase.id)
    invoice = await context.gateway.invoice(checkout.invoice_id) if checkout.invoice_id is not None else None
    if invoice is None:
        return await check_later(context, purchase.workspace_id, purchase.id)
    settled = await apply_payment_outcome(context, purchase, invoice)
    # the page has saved the card; where it can't be fetched now, the next purchase looks for it
    await try_to_sync_cards(context, purchase.workspace_id)
    return settled
