"""Errors as Stripe answers them."""

from __future__ import annotations

from sandbox.objects import Json


class StripeError(Exception):
    """A refusal in Stripe's shape: an HTTP status and an `error` object.

    `keeps_changes` says whether what the call had done before the error is committed, as a failed charge is.
    """

    def __init__(
        self,
        status: int,
        error_type: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        details: Json | None = None,
        keeps_changes: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.keeps_changes = keeps_changes
        self.error: Json = {"message": message, "type": error_type}
        if code is not None:
            self.error["code"] = code
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param is not None:
            self.error["param"] = param
        self.error |= details or {}


def invalid_request(
    message: str, *, code: str | None = None, param: str | None = None, details: Json | None = None
) -> StripeError:
    """Return a 400 invalid_request_error."""
    return StripeError(400, "invalid_request_error", message, code=code, param=param, details=details)


def missing_param(name: str, message: str | None = None) -> StripeError:
    """Return the 400 for a required parameter that was not sent."""
    return invalid_request(message or f"Missing required param: {name}.", code="parameter_missing", param=name)


def resource_missing(noun: str, object_id: str, param: str = "id", status: int = 404) -> StripeError:
    """Return the error for an identifier that names nothing; Stripe answers 404 in a path, 400 in a parameter."""
    return StripeError(
        status, "invalid_request_error", f"No such {noun}: '{object_id}'", code="resource_missing", param=param
    )


def unauthorized(message: str) -> StripeError:
    """Return the 401 for an API key that is absent or not accepted."""
    return StripeError(401, "invalid_request_error", message)


def secret_key_required(message: str) -> StripeError:
    """Return the 401 for a publishable key where a secret key is needed."""
    return StripeError(401, "invalid_request_error", message, code="secret_key_required")


def idempotency_key_in_use(key: str) -> StripeError:
    """Return the 409 for an idempotency key whose first request has not been answered yet."""
    message = (
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later."
    )
    return StripeError(409, "idempotency_error", message, code="idempotency_key_in_use")


def idempotency_key_reused(message: str) -> StripeError:
    """Return the 400 for an idempotency key sent again with another request."""
    return StripeError(400, "idempotency_error", message)


def card_error(message: str, code: str, *, decline_code: str | None, details: Json) -> StripeError:
    """Return the 402 of a card that was not charged; the failed attempt is committed."""
    declined = {"decline_code": decline_code} if decline_code else {}
    return StripeError(402, "card_error", message, code=code, details=declined | details, keeps_changes=True)


def internal_error() -> StripeError:
    """Return the 500 that Stripe answers when something breaks on its side."""
    return StripeError(500, "api_error", "An unknown error occurred.")
