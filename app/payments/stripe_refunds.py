"""Refunds and disputes in Stripe."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import stripe

from app.payments.gateway_errors import GatewayRefused
from app.payments.gateway_values import (
    DisputeStatus,
    InvoicePayment,
    ProviderDispute,
    ProviderRefund,
    RefundStatus,
    ReturnedMoney,
    ReturnedMoneyEvent,
)
from app.payments.stripe_calls import PAGE, StripeCalls, keyed

_REFUND_STATUS: Final = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
# Every status that is missing here is of an inquiry, or of a dispute prevented: neither has moved any money.
_DISPUTE_STATUS: Final = {
    "needs_response": DisputeStatus.OPEN,
    "under_review": DisputeStatus.OPEN,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}


class StripeRefunds(StripeCalls):
    """Money going back, always read as it is now."""

    async def refund(
        self, payment_id: str, *, amount_minor: int, metadata: Mapping[str, str], key: str
    ) -> ProviderRefund:
        params: Any = {"payment_intent": payment_id, "amount": amount_minor, "metadata": dict(metadata)}
        try:
            made = await self.step("create_refund", lambda: self.stripe.refunds.create_async(params, keyed(key)))
        except GatewayRefused as refused:
            cause = refused.__cause__
            message = cause.user_message if isinstance(cause, stripe.StripeError) else None
            raise GatewayRefused(message or str(refused)) from cause
        return _refund(made)

    async def payments_of_invoice(self, invoice_id: str) -> Sequence[InvoicePayment]:
        found: list[InvoicePayment] = []
        async for payment in self._payments(invoice_id):
            disputes = await self._disputes(payment)
            is_disputed = any(dispute.status in (DisputeStatus.OPEN, DisputeStatus.LOST) for dispute in disputes)
            found.append(InvoicePayment(payment, await self._left(payment), is_disputed))
        return found

    async def credited_otherwise(self, invoice_id: str) -> int:
        page = await self.step(
            "list_credit_notes", lambda: self.stripe.credit_notes.list_async({"invoice": invoice_id, "limit": PAGE})
        )
        issued = [note async for note in page.auto_paging_iter() if note.status == "issued"]
        refunded = sum(refund.amount_refunded for note in issued for refund in note.refunds or ())
        return sum(note.post_payment_amount for note in issued) - refunded

    async def refunds_of_payment(self, payment_id: str) -> Sequence[ProviderRefund]:
        return await self._refunds(payment_id)

    async def returned_money(self, invoice_id: str) -> ReturnedMoney | None:
        payments = [payment async for payment in self._payments(invoice_id)]
        if not payments:
            return None
        refunds = [refund for payment in payments for refund in await self._refunds(payment)]
        disputes = [dispute for payment in payments for dispute in await self._disputes(payment)]
        # What is left is fetched last: a refund made meanwhile is then missing in both figures, never counted in both.
        left_minor, payment_id = max([(await self._left(payment), payment) for payment in payments])
        return ReturnedMoney(payment_id, left_minor, tuple(refunds), tuple(disputes))

    async def returned_payment(self, report: ReturnedMoneyEvent, object_id: str) -> str | None:
        match report:
            case ReturnedMoneyEvent.CHARGE:
                found = await self.step("retrieve_charge", lambda: self.stripe.charges.retrieve_async(object_id))
            case ReturnedMoneyEvent.REFUND:
                found = await self.step("retrieve_refund", lambda: self.stripe.refunds.retrieve_async(object_id))
            case ReturnedMoneyEvent.DISPUTE:
                found = await self.step("retrieve_dispute", lambda: self.stripe.disputes.retrieve_async(object_id))
        intent = found.payment_intent
        return intent.id if isinstance(intent, stripe.PaymentIntent) else intent

    async def _payments(self, invoice_id: str) -> AsyncGenerator[str]:
        """The ids of the payments that paid an invoice."""
        page = await self.step(
            "list_invoice_payments",
            lambda: self.stripe.invoice_payments.list_async({"invoice": invoice_id, "status": "paid", "limit": PAGE}),
        )
        async for payment in page.auto_paging_iter():
            intent = payment.payment.payment_intent
            if intent is not None:
                yield intent.id if isinstance(intent, stripe.PaymentIntent) else intent

    async def _left(self, payment_id: str) -> int:
        """What can still be refunded of a payment."""
        intent = await self.step(
            "retrieve_payment",
            lambda: self.stripe.payment_intents.retrieve_async(payment_id, {"expand": ["latest_charge"]}),
        )
        charge = intent.latest_charge
        return charge.amount_captured - charge.amount_refunded if isinstance(charge, stripe.Charge) else 0

    async def _refunds(self, payment_id: str) -> list[ProviderRefund]:
        page = await self.step(
            "list_refunds", lambda: self.stripe.refunds.list_async({"payment_intent": payment_id, "limit": PAGE})
        )
        return [_refund(refund) async for refund in page.auto_paging_iter()]

    async def _disputes(self, payment_id: str) -> list[ProviderDispute]:
        page = await self.step(
            "list_disputes", lambda: self.stripe.disputes.list_async({"payment_intent": payment_id, "limit": PAGE})
        )
        return [
            ProviderDispute(dispute.id, dispute.amount, _DISPUTE_STATUS.get(dispute.status, DisputeStatus.INQUIRY))
            async for dispute in page.auto_paging_iter()
        ]


def _refund(refund: stripe.Refund) -> ProviderRefund:
    metadata = refund.metadata.to_dict() if refund.metadata is not None else {}
    return ProviderRefund(
        id=refund.id,
        amount_minor=refund.amount,
        status=_REFUND_STATUS[refund.status or "pending"],
        refund_id=metadata.get("refund_id"),
        failure=getattr(refund, "failure_reason", None),
    )
