"""Quotes: the price of a change as it was shown, signed and handed to the client instead of being stored here.

A quote says what would be charged for what, from which moment on the rest of the period counts, and until when it holds. It can be
read by whoever has it, and made by nobody else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from app.billing.subscriptions.goals import Goal, goal_as_json
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.payments.subscription_values import InvoicePreview

QUOTE_LASTS: Final = timedelta(minutes=10)
_PATH: Final = ("input", "quote")
_DIGEST_BYTES: Final = 32


class PriceChanged(DomainError):
    """The price may have changed since it was shown; look at it again."""

    code = ErrorCode.PRICE_CHANGED

    def __init__(self) -> None:
        super().__init__(path=_PATH)


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a change that is charged at once, for a version of a workspace's subscription.

    `total_minor`, tax included, is what will be charged plus the change of the customer's balance, `tax_minor` what of it is tax,
    and `due_minor` what the card was said to be charged, all in the smallest unit of the catalog's currency. `prorated_at` is the
    moment from which the rest of the period is charged, to the second. From `expires_at` on the quote is good for nothing. `change`
    is a digest of what is to become of the subscription.
    """

    workspace_id: UUID
    version: int
    change: str
    prorated_at: datetime
    total_minor: int
    tax_minor: int
    due_minor: int
    expires_at: datetime

    def require_current(self, *, version: int, now: datetime) -> None:
        """Raise `PriceChanged` unless the subscription has the version that the quote was made for, and its time is not over."""
        if self.version != version or now >= self.expires_at:
            raise PriceChanged

    def require_change(self, goal: Goal) -> None:
        """Raise `PriceChanged` unless the quote was made for exactly this change."""
        if self.change != digest_of(goal):
            raise PriceChanged

    def require_price(self, preview: InvoicePreview, *, period_start: datetime) -> None:
        """Raise `PriceChanged` unless a preview made just before the change tells the price that was quoted, and charges no more.

        Credit that came meanwhile lets the card be charged less; what is owed since would let it be charged more than was shown.

        So it does for a moment before the present period: what was quoted of the period before is not to be charged in this one.
        """
        if self.prorated_at < period_start:
            raise PriceChanged
        if (self.total_minor, self.tax_minor) != (preview.total_minor, preview.tax_minor):
            raise PriceChanged
        if preview.due_minor > self.due_minor:
            raise PriceChanged


def sign(key: bytes, quote: Quote) -> str:
    """The quote as a token of letters, digits, `-`, `_` and a dot."""
    payload = json.dumps(
        [
            quote.workspace_id.hex,
            quote.version,
            quote.change,
            int(quote.prorated_at.timestamp()),
            quote.total_minor,
            quote.tax_minor,
            quote.due_minor,
            int(quote.expires_at.timestamp()),
        ],
        separators=(",", ":"),
    ).encode()
    return f"{_encoded(payload)}.{_encoded(_signature(key, payload))}"


def read(key: bytes, token: str, *, workspace_id: UUID) -> Quote:
    """The quote that a client hands back. Raises `PriceChanged` for a token that `sign` did not make, for this workspace.

    Whether it still holds is judged where the change begins: an idempotency key that is known answers before.
    """
    encoded, _, signature = token.partition(".")
    payload = _decoded(encoded)
    if not hmac.compare_digest(_signature(key, payload), _decoded(signature)):
        raise PriceChanged
    # only we sign, so a payload that is signed has the form that `sign` gives it
    workspace, version, change, prorated_at, total_minor, tax_minor, due_minor, expires_at = json.loads(payload)
    if workspace != workspace_id.hex:
        raise PriceChanged
    return Quote(
        workspace_id=workspace_id,
        version=version,
        change=change,
        prorated_at=datetime.fromtimestamp(prorated_at, UTC),
        total_minor=total_minor,
        tax_minor=tax_minor,
        due_minor=due_minor,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
    )


def digest_of(goal: Goal) -> str:
    """The digest by which a quote knows the change that it was made for."""
    return hashlib.sha256(json.dumps(goal_as_json(goal), sort_keys=True).encode()).hexdigest()[:_DIGEST_BYTES]


def _signature(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """The bytes that were encoded; raises `PriceChanged` for a text that `_encoded` did not make."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise PriceChanged from None
    if _encoded(data) != text:
        raise PriceChanged
    return data
