"""Which tokens of an identity provider are accepted: only those with a valid header, claims and signature."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from app.oidc.issuer import Issuer
from app.oidc.tokens import MOST_CHARACTERS, Profile, TokenClaims
from tests.oidc.tokens import segment, verified
from tests.support.oidc import AUDIENCE, IssuerDouble, new_key

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"),
    "Ed25519",
)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_right_token_signed_with_any_asymmetric_algorithm_is_accepted(
    idp: IssuerDouble, issuer: Issuer, algorithm: str
) -> None:
    idp.rotate(algorithm)
    subject = uuid4().hex
    claims = await verified(issuer, idp.token(sub=subject, exp=4_000_000_000, iat=1_000))
    assert claims == TokenClaims(
        issuer=idp.url,
        subject=subject,
        issued_at=datetime.fromtimestamp(1_000, UTC),
        expires_at=datetime.fromtimestamp(4_000_000_000, UTC),
        profile=Profile(),
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["another", AUDIENCE]},
        {"iat": None},
        {"exp": 4_000_000_000.5},
        {"nbf": 0, "iat": 0},
        {"email": "ada@example.com", "email_verified": True, "scope": "openid email", "azp": "an app"},
        {"sub": "auth0|" + "5" * 249},
    ],
    ids=repr,
)
async def test_other_valid_forms_of_the_claims_are_accepted_too(
    idp: IssuerDouble, issuer: Issuer, claims: Mapping[str, Any]
) -> None:
    assert await verified(issuer, idp.token(**claims)) is not None


@pytest.mark.parametrize("kind", [None, "JWT", "jwt", "at+jwt", "application/at+jwt"])
async def test_the_types_of_credentials_are_accepted(idp: IssuerDouble, issuer: Issuer, kind: str | None) -> None:
    assert await verified(issuer, idp.token(header={"typ": kind})) is not None


async def test_headers_that_are_not_known_count_for_nothing_and_lead_nowhere(idp: IssuerDouble, issuer: Issuer) -> None:
    token = idp.token(header={"cat": "cl_1", "jku": f"{idp.url}/evil", "x5u": f"{idp.url}/evil"})
    assert await verified(issuer, token) is not None
    assert idp.count("/evil") == 0


_WRONG: list[Mapping[str, Any]] = [
    {"iss": "https://another.example.com"},
    {"iss": None},
    {"iss": ["it"]},
    {"aud": "another"},
    {"aud": None},
    {"aud": []},
    {"aud": [1, None, {}]},
    {"aud": {AUDIENCE: AUDIENCE}},
    {"aud": AUDIENCE.upper()},
    {"exp": None},
    {"exp": 1_000_000_000},
    {"exp": 0},
    {"exp": "4000000000"},
    {"exp": True},
    {"exp": -1},
    {"exp": 1e300},
    {"exp": 10**15},
    {"exp": [4_000_000_000]},
    {"nbf": 4_000_000_000},
    {"nbf": "1000"},
    {"nbf": -5},
    {"iat": 4_000_000_000},
    {"iat": {}},
    {"sub": None},
    {"sub": ""},
    {"sub": 5},
    {"sub": "a\0b"},
    {"sub": "a\nb"},
    {"sub": "x" * 256},
    {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
]


@pytest.mark.parametrize("claims", _WRONG, ids=repr)
async def test_a_token_that_says_something_wrong_is_not_accepted(
    idp: IssuerDouble, issuer: Issuer, claims: Mapping[str, Any]
) -> None:
    assert await verified(issuer, idp.token(**claims)) is None


async def test_a_token_of_an_issuer_with_one_more_slash_is_not_accepted(idp: IssuerDouble, issuer: Issuer) -> None:
    assert await verified(issuer, idp.token(iss=idp.url + "/")) is None


async def test_a_token_is_good_until_it_expires_and_starts_a_minute_early_at_most(
    idp: IssuerDouble, issuer: Issuer
) -> None:
    now = int(time.time())
    token = idp.token(exp=now + 100, nbf=now + 1_000, iat=now + 1_000)
    assert await issuer.verify(token, datetime.fromtimestamp(now, UTC)) is None
    token = idp.token(exp=now + 2_000, nbf=now + 1_000, iat=now + 1_000)
    for second, is_good in ((939, False), (940, True), (1_999, True), (2_000, False)):
        claims = await issuer.verify(token, datetime.fromtimestamp(now + second, UTC))
        assert (claims is not None) == is_good, second


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "logout+jwt"},
        {"typ": "secevent+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": ""},
        {"typ": 5},
        {"crit": ["exp"], "exp": 5},
        {"crit": []},
        {"b64": True},
        {"kid": 5},
        {"kid": "x" * 1_000},
        {"kid": ["a"]},
        {"x5c": 5},
    ],
    ids=repr,
)
async def test_a_token_with_a_wrong_header_is_not_accepted(
    idp: IssuerDouble, issuer: Issuer, header: Mapping[str, object]
) -> None:
    right = idp.token().split(".")
    named = {"alg": "ES256", "kid": idp.keys[-1].key_id, "typ": "JWT", **header}
    signed_part = f"{segment(named)}.{right[1]}"
    key = idp.keys[-1].key
    signature = jws.JWSRegistry.algorithms["ES256"].sign(signed_part.encode(), key)
    assert await verified(issuer, f"{signed_part}.{segment(signature)}") is None


async def test_a_token_signed_by_anybody_else_is_not_accepted(idp: IssuerDouble, issuer: Issuer) -> None:
    stranger = new_key()
    own = idp.keys[-1]
    assert await verified(issuer, idp.token(by=stranger)) is None
    assert await verified(issuer, idp.token(by=stranger, header={"kid": own.key_id})) is None
    assert await verified(issuer, idp.token(by=stranger, header={"kid": None})) is None


async def test_a_key_in_the_header_is_not_believed(idp: IssuerDouble, issuer: Issuer) -> None:
    stranger = new_key()
    for key_id in (stranger.key_id, idp.keys[-1].key_id, None):
        token = idp.token(by=stranger, header={"kid": key_id, "jwk": stranger.key.as_dict(private=False)})
        assert await verified(issuer, token) is None


async def test_a_token_without_signature_is_not_accepted(idp: IssuerDouble, issuer: Issuer) -> None:
    header, payload, signature = idp.token().split(".")
    for algorithm in ("none", "None", "NONE", "nOnE"):
        unsigned = segment({"alg": algorithm, "kid": idp.keys[-1].key_id, "typ": "JWT"})
        for kept in ("", signature):
            assert await verified(issuer, f"{unsigned}.{payload}.{kept}") is None
    assert await verified(issuer, f"{header}.{payload}.") is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_public_key_is_no_shared_secret(idp: IssuerDouble, issuer: Issuer, algorithm: str) -> None:
    own = idp.rotate("RS256")
    assert isinstance(own.key, RSAKey)
    public = RSAKey.import_key(own.key.as_dict(private=False))
    secrets: list[bytes] = [public.as_pem(), public.as_der(), orjson.dumps(own.public()), own.key_id.encode()]
    idp.more_keys.append({"kty": "oct", "k": segment(b"a shared secret of 32 bytes here"), "kid": "shared"})
    secrets.append(b"a shared secret of 32 bytes here")
    for secret in secrets:
        for key_id in (own.key_id, "shared", None):
            head = {"alg": algorithm, "typ": "JWT"} | ({} if key_id is None else {"kid": key_id})
            signed_part = f"{segment(head)}.{segment(idp.claims())}"
            signature = hmac.digest(secret, signed_part.encode(), f"sha{algorithm[2:]}")
            assert await verified(issuer, f"{signed_part}.{segment(signature)}") is None


async def test_one_changed_character_makes_a_token_invalid(idp: IssuerDouble, issuer: Issuer) -> None:
    token = idp.token()
    assert await verified(issuer, token) is not None
    for place in range(0, len(token), 7):
        if token[place] == ".":
            continue
        changed = "A" if token[place] != "A" else "B"
        assert await verified(issuer, token[:place] + changed + token[place + 1 :]) is None, place


_MALFORMED: Mapping[str, Callable[[str], str]] = {
    "too few parts": lambda token: token.rpartition(".")[0],
    "too many parts": lambda token: f"{token}.{token}",
    "an encrypted one": lambda token: f"{token}.a.b",
    "blanks": lambda token: f" {token}",
    "padding": lambda token: f"{token}=",
    "standard base64": lambda token: token.replace(".", ".+/", 1),
    "no header": lambda token: token[token.index(".") :],
    "dots": lambda _token: "..",
    "NUL": lambda token: f"{token}\0",
    "not ASCII": lambda token: f"{token}é",
    "a surrogate": lambda token: f"{token}\ud800",
    "too long": lambda token: token + "A" * MOST_CHARACTERS,
    "header null": lambda token: ".".join([segment(None), *token.split(".")[1:]]),
    "header a list": lambda token: ".".join([segment(["alg"]), *token.split(".")[1:]]),
    "header no JSON": lambda token: ".".join([segment(b"{"), *token.split(".")[1:]]),
    "header not UTF-8": lambda token: ".".join([segment(b'{"alg": "\xff"}'), *token.split(".")[1:]]),
    "header NaN": lambda token: ".".join([segment(b'{"alg": NaN}'), *token.split(".")[1:]]),
    "header deep": lambda token: ".".join([segment(b"[" * 9_000), *token.split(".")[1:]]),
    "no algorithm": lambda token: ".".join([segment({"typ": "JWT"}), *token.split(".")[1:]]),
    "algorithm a list": lambda token: ".".join([segment({"alg": ["ES256"]}), *token.split(".")[1:]]),
    "algorithm a number": lambda token: ".".join([segment({"alg": 1}), *token.split(".")[1:]]),
    "algorithm unknown": lambda token: ".".join([segment({"alg": "ES256K"}), *token.split(".")[1:]]),
}


@pytest.mark.parametrize("kind", list(_MALFORMED))
async def test_what_is_no_token_is_not_accepted_and_breaks_nothing(
    idp: IssuerDouble, issuer: Issuer, kind: str
) -> None:
    assert await verified(issuer, _MALFORMED[kind](idp.token())) is None


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'"x"', b"{", b"\xff", b"[" * 9_000, b'{"exp": 1e999}'])
async def test_a_signed_payload_that_is_no_object_is_not_accepted(
    idp: IssuerDouble, issuer: Issuer, payload: bytes
) -> None:
    key = idp.keys[-1]
    head = {"alg": "ES256", "kid": key.key_id}
    assert await verified(issuer, jws.serialize_compact(head, payload or b" ", key.key)) is None


async def test_a_token_that_is_invalid_without_its_signature_asks_the_issuer_nothing(
    idp: IssuerDouble, issuer: Issuer
) -> None:
    for token in (idp.token(aud="another"), idp.token(exp=5), "a.b.c", idp.token(header={"typ": "logout+jwt"})):
        assert await verified(issuer, token) is None
    assert idp.asked == []
