"""The errors that callers get while a payment is under way, or when the payment provider can't be reached."""

from __future__ import annotations

from app.error_codes import ErrorCode
from app.errors import DomainError


class PaymentPending(DomainError):
    """The payment is under way and its result will show by itself. Don't pay again: that could be a second payment."""

    code = ErrorCode.PAYMENT_PENDING


class PaymentUnavailable(DomainError):
    """The payment provider can't be reached. Nothing was charged; try again."""

    code = ErrorCode.PAYMENT_UNAVAILABLE
