"""The two tiers of errors: what a person can mend (`DomainError`) and what a program got wrong (`ProtocolError`).

A `DomainError` becomes an entry of the payload's `userErrors`; its docstring is the message unless one is given, and names in
braces there stand for what its `placeholders` hold. A `ProtocolError` becomes a GraphQL error with `extensions.code`. Anything else
that is raised is a bug: masked for the client, logged once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from app.error_codes import ErrorCode
from app.wording import waiting_time


class DomainError(Exception):
    """Something that the person asking can mend.

    `path` names the input field at fault, for example `("input", "amount")`. `placeholders` are the texts for the names in braces
    in the docstring: numbers that a constant defines, as `app/wording.py` writes them.
    """

    code: ClassVar[ErrorCode]
    placeholders: ClassVar[Mapping[str, str]] = {}

    def __init__(self, message: str | None = None, *, path: Sequence[str] | None = None) -> None:
        self.message = message or self.usual_message()
        self.path = tuple(path) if path is not None else None
        super().__init__(self.message)

    @classmethod
    def usual_message(cls) -> str:
        """The message of an error that is raised without one: the docstring in one line, its placeholders filled in."""
        return " ".join((cls.__doc__ or "").split()).format_map(cls.placeholders)


class ProtocolError(Exception):
    """Something that the calling program got wrong, or that it must handle: a GraphQL error with `extensions.code`."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str | None = None, *, extensions: Mapping[str, object] | None = None) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.extensions: dict[str, object] = {"code": self.code, **(extensions or {})}
        super().__init__(self.message)


class Unauthenticated(ProtocolError):
    """Sign in first: this needs valid credentials."""

    code = "UNAUTHENTICATED"


class Forbidden(ProtocolError):
    """These credentials do not allow this."""

    code = "FORBIDDEN"


class NotFound(ProtocolError):
    """There is no such object, or it is not yours to see."""

    code = "NOT_FOUND"


class BadUserInput(ProtocolError):
    """An argument does not have the form it must have."""

    code = "BAD_USER_INPUT"


class QueryTooComplex(ProtocolError):
    """The document asks for more than a single request may ask for."""

    code = "QUERY_TOO_COMPLEX"


class OperationTimeout(ProtocolError):
    """The operation took too long and was stopped; try again."""

    code = "TIMEOUT"


class Unavailable(ProtocolError):
    """A part this needs can't be reached right now; try again."""

    code = "UNAVAILABLE"


class RateLimited(ProtocolError):
    """Too many attempts; wait before the next.

    `retry_after_seconds` is how long until one is allowed again.
    """

    code = "RATE_LIMITED"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"Too many attempts. Try again in {waiting_time(retry_after_seconds)}.",
            extensions={"retryAfterSeconds": retry_after_seconds},
        )


class InvalidInput(DomainError):
    """A value is not acceptable."""

    code = ErrorCode.INVALID_INPUT


class Conflict(DomainError):
    """Somebody else changed this at the same moment; look again and retry."""

    code = ErrorCode.CONFLICT


class IdempotencyConflict(DomainError):
    """This idempotency key was already used with another input."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT


class PaymentActionRequired(DomainError):
    """The bank wants the cardholder to confirm this payment.

    `client_secret` is for Stripe.js and the mobile SDKs, `hosted_url` a page for those without.
    """

    code = ErrorCode.PAYMENT_ACTION_REQUIRED

    def __init__(self, *, client_secret: str, hosted_url: str | None) -> None:
        super().__init__("The bank wants the cardholder to confirm this payment.")
        self.client_secret = client_secret
        self.hosted_url = hosted_url


class PaymentDeclined(DomainError):
    """The card was declined.

    `decline_code` is the issuer's reason as Stripe names it, such as `insufficient_funds`.
    """

    code = ErrorCode.PAYMENT_DECLINED

    def __init__(self, message: str, *, decline_code: str | None) -> None:
        super().__init__(message)
        self.decline_code = decline_code
