"""What a recharge answers: the purchase as it is, and the error for the caller that follows from its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.billing.payments.card_mirror import PaymentMethodRequired
from app.billing.payments.payment_errors import CreditsRefused, PaymentPending, PaymentUnavailable
from app.billing.purchases import purchase_states
from app.db.tables.purchases import CreditPurchaseRow, PurchaseStatus
from app.errors import DomainError, PaymentActionRequired, PaymentDeclined
from app.flows.flow_context import FlowContext
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.payments.gateway_values import PaymentStatus

_PAY_ON_PAGE: Final = "There is no card on file: pay on the page at checkoutUrl, or add a card first."


@dataclass(frozen=True, slots=True)
class RechargeResult:
    """The purchase as it is now, and the error for the caller when it has not succeeded.

    With `is_replay` an earlier call began the purchase, and this one charged no card.
    """

    purchase: CreditPurchaseRow
    error: DomainError | None
    is_replay: bool = False


async def result_of(context: FlowContext, purchase: CreditPurchaseRow) -> RechargeResult:
    """The purchase with the error for the caller that follows from its status."""
    if purchase.status == PurchaseStatus.PENDING:
        waits_on_page = purchase.checkout_url is not None
        return RechargeResult(purchase, PaymentMethodRequired(_PAY_ON_PAGE) if waits_on_page else PaymentPending())
    if purchase.status == PurchaseStatus.ACTION_REQUIRED:
        return RechargeResult(purchase, await _confirmation_error(context, purchase))
    if purchase.status in (PurchaseStatus.FAILED, PurchaseStatus.EXPIRED):
        if purchase.idempotency_key is None:
            raise PaymentUnavailable
        if purchase.failure == purchase_states.NOT_CREDITED:
            return RechargeResult(purchase, CreditsRefused())
        reason = purchase.failure or "The card was declined."
        return RechargeResult(purchase, PaymentDeclined(reason, decline_code=purchase.decline_code))
    return RechargeResult(purchase, None)


async def _confirmation_error(context: FlowContext, purchase: CreditPurchaseRow) -> DomainError:
    """The error that tells how to confirm the payment. Its secret is fetched from the provider each time and stored nowhere."""
    try:
        invoice = await context.gateway.invoice(purchase.invoice_id or "")
    except (GatewayUnavailable, GatewayRefused):
        return PaymentPending()
    if (
        invoice is None
        or invoice.attempt.status is not PaymentStatus.ACTION_REQUIRED
        or invoice.attempt.client_secret is None
    ):
        return PaymentPending()
    return PaymentActionRequired(client_secret=invoice.attempt.client_secret, hosted_url=invoice.attempt.action_url)
