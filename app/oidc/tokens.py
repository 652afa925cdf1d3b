"""What a token of an identity provider says: read strictly, and judged before anybody asks whose signature it bears.

Nothing is believed here: a token counts only once `app.federation.keys` has found the signature good.
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

# asymmetric ones alone: whoever can check a symmetric signature can forge it
ALGORITHMS: Final = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
        # the same as the next, by its older name
        *("EdDSA", "Ed25519"),
    }
)

MOST_CHARACTERS: Final = 16_384

_MOST_SUBJECT_CHARACTERS: Final = 255
_MOST_KEY_ID_CHARACTERS: Final = 256
# the end of the year 9999, after which Python has no dates
_LATEST_SECONDS: Final = 253_402_300_799
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
# other types, such as that of a notice to sign out, are no credentials
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
# `crit` and `b64` change what the rest means
_REFUSED_HEADERS: Final = ("crit", "b64")
# of a token bound to a key (`cnf`) the holder must prove to have that key; one with `events` tells of something that happened
_REFUSED_CLAIMS: Final = ("cnf", "events")


@dataclass(frozen=True, slots=True)
class Profile:
    """What an issuer says of a person: whatever it named, in its own words, and whether it calls the address verified."""

    email: str | None = None
    is_email_verified: bool = False
    given_name: str | None = None
    family_name: str | None = None
    preferred_username: str | None = None


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token says: who the issuer means, since and until when it is good, and what it tells of them."""

    issuer: str
    subject: str
    issued_at: datetime | None
    expires_at: datetime
    profile: Profile


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A well-formed token for us, not yet believed; `algorithm` and `key_id` are how, and with which key, it says it is signed."""

    text: str
    algorithm: str
    key_id: str | None
    claims: TokenClaims


def looks_like_token(text: str) -> bool:
    """Whether this has the form of a signed token, and not that of a session's or a key's."""
    return text.count(".") == 2


def read_token(text: str, *, issuer: str, audiences: Collection[str], now: datetime) -> ReadToken | None:
    """The token, if everything it says is right but for the signature, which is not looked at; None for any other."""
    if len(text) > MOST_CHARACTERS:
        return None
    segments = text.split(".")
    if len(segments) != 3 or not all(map(_SEGMENT.fullmatch, segments)):
        return None
    header, payload = _object(segments[0]), _object(segments[1])
    if header is None or payload is None or not _is_header_right(header):
        return None
    claims = _claims(payload, issuer, audiences, now)
    if claims is None:
        return None
    return ReadToken(text, cast(str, header["alg"]), cast("str | None", header.get("kid")), claims)


def profile_of(claims: Mapping[str, object]) -> Profile:
    """What claims, of a token or from the userinfo endpoint, say of a person; what is no text counts as not said."""
    verified = claims.get("email_verified")
    return Profile(
        email=_text(claims.get("email")),
        # some issuers send it as text
        is_email_verified=verified is True or verified == "true",
        given_name=_text(claims.get("given_name")),
        family_name=_text(claims.get("family_name")),
        preferred_username=_text(claims.get("preferred_username")),
    )


def _object(segment: str) -> dict[str, object] | None:
    try:
        value: object = orjson.loads(base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _is_header_right(header: Mapping[str, object]) -> bool:
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
    if payload.get("iss") != issuer or not _is_for(payload.get("aud"), audiences) or not _is_subject(subject):
        return None
    if any(payload.get(name) is not None for name in _REFUSED_CLAIMS):
        return None
    expires_at, starts_at, issued_at = (_moment(payload.get(name)) for name in ("exp", "nbf", "iat"))
    if not isinstance(expires_at, datetime) or expires_at <= now:
        return None
    for moment in (starts_at, issued_at):
        if moment is _WRONG or (isinstance(moment, datetime) and (moment - now).total_seconds() > LEEWAY_SECONDS):
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


def _is_subject(subject: object) -> bool:
    return isinstance(subject, str) and 0 < len(subject) <= _MOST_SUBJECT_CHARACTERS and subject.isprintable()


class _Wrong:
    """A claim that must be a time, and is none."""


_WRONG: Final = _Wrong()


def _moment(value: object) -> datetime | _Wrong | None:
    """The moment that a number of seconds since 1970 stands for; None where nothing is said."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST_SECONDS:
        return _WRONG
    return datetime.fromtimestamp(value, UTC)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
