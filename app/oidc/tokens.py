"""Parsing tokens of an identity provider (JWT) strictly, and checking their header and claims, but not the signature.

Nothing that a token says may be relied on before `signing_keys.py` has checked its signature.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

import orjson

LEEWAY_SECONDS: Final = 60

# asymmetric ones only: whoever can check a symmetric signature can also forge it
ALGORITHMS: Final = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
        # both names, the older one first, are for the same algorithm
        *("EdDSA", "Ed25519"),
    }
)

MOST_CHARACTERS: Final = 16_384

_MOST_SUBJECT_CHARACTERS: Final = 255
_MOST_KEY_ID_CHARACTERS: Final = 256
# the end of the year 9999, after which Python has no dates
_LATEST_SECONDS: Final = 253_402_300_799
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
# other types are not credentials, for example logout tokens
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
# `crit` and `b64` change the meaning of other fields
_REFUSED_HEADERS: Final = ("crit", "b64")
# a token bound to a key (`cnf`) needs a proof that its holder has the key; one with `events` is a notice, not a credential
_REFUSED_CLAIMS: Final = ("cnf", "events")


@dataclass(frozen=True, slots=True)
class Profile:
    """What an issuer says about a person, unchecked, and whether it calls the address verified."""

    email: str | None = None
    is_email_verified: bool = False
    given_name: str | None = None
    family_name: str | None = None
    preferred_username: str | None = None


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims of a token: issuer and subject, when it was issued, when it expires, and the person's profile."""

    issuer: str
    subject: str
    issued_at: datetime | None
    expires_at: datetime
    profile: Profile


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A well-formed token for us, whose signature is not checked yet; `algorithm` and `key_id` are those its header names."""

    text: str
    algorithm: str
    key_id: str | None
    claims: TokenClaims


def looks_like_token(text: str) -> bool:
    """Whether this bearer token has the form of a JWT: those of sessions and API keys have no dots."""
    return text.count(".") == 2


def read_token(text: str, *, issuer: str, audiences: Collection[str], now: datetime) -> ReadToken | None:
    """The parsed token, if its header and claims are valid; None for any other. The signature is not checked."""
    if len(text) > MOST_CHARACTERS:
        return None
    segments = text.split(".")
    if len(segments) != 3 or not all(map(_SEGMENT.fullmatch, segments)):
        return None
    header, payload = _json_object(segments[0]), _json_object(segments[1])
    if header is None or payload is None or not _is_header_valid(header):
        return None
    claims = _claims(payload, issuer, audiences, now)
    if claims is None:
        return None
    return ReadToken(text, cast(str, header["alg"]), cast("str | None", header.get("kid")), claims)


def profile_of(claims: Mapping[str, object]) -> Profile:
    """The profile in claims of a token or of userinfo; a claim that is no text counts as absent."""
    verified = claims.get("email_verified")
    return Profile(
        email=_text(claims.get("email")),
        # some issuers send it as a string
        is_email_verified=verified is True or verified == "true",
        given_name=_text(claims.get("given_name")),
        family_name=_text(claims.get("family_name")),
        preferred_username=_text(claims.get("preferred_username")),
    )


def _json_object(segment: str) -> dict[str, object] | None:
    try:
        value: object = orjson.loads(base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _is_header_valid(header: Mapping[str, object]) -> bool:
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
    return (
        isinstance(algorithm, str)
        and algorithm in ALGORITHMS
        and (key_id is None or (isinstance(key_id, str) and len(key_id) <= _MOST_KEY_ID_CHARACTERS))
        and (kind is None or (isinstance(kind, str) and kind.lower() in _TYPES))
        and not any(name in header for name in _REFUSED_HEADERS)
    )


def _claims(
    payload: Mapping[str, object], issuer: str, audiences: Collection[str], now: datetime
) -> TokenClaims | None:
    subject = payload.get("sub")
    if payload.get("iss") != issuer or not _is_for(payload.get("aud"), audiences) or not _is_subject_valid(subject):
        return None
    if any(payload.get(name) is not None for name in _REFUSED_CLAIMS):
        return None
    expires_at, not_before, issued_at = (_time_claim(payload.get(name)) for name in ("exp", "nbf", "iat"))
    if not isinstance(expires_at, datetime) or expires_at <= now:
        return None
    for moment in (not_before, issued_at):
        if moment is _INVALID or (isinstance(moment, datetime) and (moment - now).total_seconds() > LEEWAY_SECONDS):
            return None
    return TokenClaims(
        issuer=issuer,
        subject=cast(str, subject),
        issued_at=issued_at if isinstance(issued_at, datetime) else None,
        expires_at=expires_at,
        profile=profile_of(payload),
    )


def _is_for(audience: object, ours: Collection[str]) -> bool:
    if isinstance(audience, str):
        return audience in ours
    return isinstance(audience, list) and any(
        isinstance(each, str) and each in ours for each in cast("list[object]", audience)
    )


def _is_subject_valid(subject: object) -> bool:
    return isinstance(subject, str) and 0 < len(subject) <= _MOST_SUBJECT_CHARACTERS and subject.isprintable()


class _Invalid:
    """The type of a time claim that is not a valid time."""


_INVALID: Final = _Invalid()


def _time_claim(value: object) -> datetime | _Invalid | None:
    """The time of a claim in seconds since 1970; None if it is absent."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST_SECONDS:
        return _INVALID
    return datetime.fromtimestamp(value, UTC)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
