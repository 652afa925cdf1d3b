"""What the SDK says when a call is refused."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple

import pytest
import stripe


class Refusal(NamedTuple):
    """The parts of Stripe's error that a caller decides by."""

    status: int | None
    code: str | None
    param: str | None


async def refusal(call: Awaitable[object], match: str | None = None) -> Refusal:
    """Await a call that must be refused as wrong, with a message that the regular expression `match` finds."""
    with pytest.raises((stripe.InvalidRequestError, stripe.CardError), match=match) as refused:
        await call
    return Refusal(refused.value.http_status, refused.value.code, refused.value.param)
