"""The errors that callers get while a payment is under way, or when the payment provider can't be reached."""

from __future__ import annotations

from app.error_codes import ErrorCode
from app.errors import DomainError


class PaymentPending(DomainError):
    """The payment is under way and its result will show by itself. Don't pay again: that could be a second payment."""

    code = ErrorCode.PAYMENT_PENDING


class PaymentRefused(DomainError):
    """The payment provider refused to prepare this payment, for a reason that the seller has to look into. Nothing was charged."""

    code = ErrorCode.PAYMENT_UNAVAILABLE


class EarlierPurchasePaid(DomainError):
    """An earlier purchase was found to be paid, and its credits are there now. Nothing new was charged: ask again to buy more."""

    code = ErrorCode.CONFLICT


class CreditsRefused(DomainError):
    """This was paid, and meanwhile the balance grew to the most that can be counted: the payment goes back to the card."""

    code = ErrorCode.CONFLICT


class PaymentUnavailable(DomainError):
    """The payment provider can't be reached. Nothing was charged; try again."""

    code = ErrorCode.PAYMENT_UNAVAILABLE
