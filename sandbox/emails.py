"""E-mail addresses, which Stripe looks at before it keeps them."""

from __future__ import annotations

import re

from sandbox.errors import invalid_request

MAX_LENGTH = 512

_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def check_email(address: str | None, param: str) -> None:
    """Raise a StripeError for text that is no e-mail address; an empty one unsets the field and is let through."""
    if address and (len(address) > MAX_LENGTH or _ADDRESS.fullmatch(address) is None):
        raise invalid_request(f"Invalid email address: {address}", code="email_invalid", param=param)
