"""What tests of tokens do: encoding a part of one, and having an issuer verify one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import orjson

from app.oidc.issuer import Issuer
from app.oidc.tokens import TokenClaims


async def verified(issuer: Issuer, token: str) -> TokenClaims | None:
    """The claims of a token, if the issuer verifies it now."""
    return await issuer.verify(token, datetime.now(UTC))


async def is_accepted(issuer: Issuer, token: str) -> bool:
    """Whether the issuer verifies a token now."""
    return await verified(issuer, token) is not None


def segment(value: object) -> str:
    """A part of a token: bytes as they are, anything else as JSON, in base64url."""
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else orjson.dumps(value)).rstrip(b"=").decode()
