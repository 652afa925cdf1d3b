"""Which of the keys that an issuer publishes may sign, and which one a token is checked with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey

from app.oidc.issuer import Issuer
from tests.oidc.tokens import segment, verified
from tests.support.oidc import IssuerDouble, new_key


def _published(idp: IssuerDouble, **changed: object) -> None:
    """Publish the only key, changed; None leaves a member out."""
    [key] = idp.keys
    described: dict[str, Any] = {**key.public(), **changed}
    idp.more_keys = [{name: value for name, value in described.items() if value is not None}]


@pytest.mark.parametrize(
    ("changed", "is_accepted"),
    [
        ({}, True),
        ({"use": None, "alg": None}, True),
        ({"key_ops": ["verify"]}, True),
        ({"use": "enc"}, False),
        ({"use": None, "key_ops": ["sign"]}, False),
        ({"use": None, "key_ops": ["encrypt"]}, False),
        ({"alg": "ES384"}, False),
        ({"alg": "RSA-OAEP"}, False),
        ({"kid": None}, False),
        ({"kid": "another"}, False),
        ({"kty": "RSA"}, False),
        ({"kty": 5}, False),
        ({"crv": "P-384"}, False),
        ({"x": "AAAA"}, False),
        ({"x": 5}, False),
        ({"y": None}, False),
        ({"use": 5}, False),
        ({"key_ops": ["?"]}, False),
    ],
    ids=repr,
)
async def test_a_key_counts_for_what_it_was_published_for(
    idp: IssuerDouble, issuer: Issuer, changed: Mapping[str, object], is_accepted: bool
) -> None:
    token = idp.token()
    _published(idp, **changed)
    idp.keys = [new_key("RS256")]
    assert (await verified(issuer, token) is not None) == is_accepted


async def test_a_private_key_that_was_published_signs_nothing(idp: IssuerDouble, issuer: Issuer) -> None:
    [key] = idp.keys
    token = idp.token()
    idp.more_keys = [{**key.key.as_dict(private=True), "kid": key.key_id}]
    idp.keys = [new_key()]
    assert await verified(issuer, token) is None


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_a_short_key_signs_nothing(idp: IssuerDouble, issuer: Issuer) -> None:
    short = RSAKey.generate_key(1024)
    idp.more_keys = [{**short.as_dict(private=False), "kid": "short"}]
    token = jwt.encode({"alg": "RS256", "kid": "short"}, idp.claims(), short)
    assert await verified(issuer, token) is None


async def test_keys_that_are_not_understood_are_passed_over(idp: IssuerDouble, issuer: Issuer) -> None:
    idp.more_keys = [
        None,
        5,
        "key",
        [],
        {},
        {"kty": "AKP", "alg": "ML-DSA-44"},
        {"kty": "EC"},
        {"kty": "OKP", "crv": "X"},
    ]
    assert await verified(issuer, idp.token()) is not None


async def test_without_a_key_id_the_only_key_that_fits_is_meant(idp: IssuerDouble, issuer: Issuer) -> None:
    idp.rotate("RS256", keeps_old=True)
    assert await verified(issuer, idp.token(header={"kid": None})) is not None


async def test_without_a_key_id_none_of_several_is_tried(idp: IssuerDouble, issuer: Issuer) -> None:
    idp.rotate(keeps_old=True)
    assert await verified(issuer, idp.token(header={"kid": None})) is None


async def test_two_keys_with_one_id_are_both_tried(idp: IssuerDouble, issuer: Issuer) -> None:
    [key] = idp.keys
    idp.more_keys = [{**ECKey.generate_key("P-256").as_dict(private=False), "kid": key.key_id}]
    idp.keys = [key]
    assert await verified(issuer, idp.token()) is not None


async def test_an_elliptic_key_of_another_curve_signs_nothing(idp: IssuerDouble, issuer: Issuer) -> None:
    other = ECKey.generate_key("P-384")
    idp.more_keys = [{**other.as_dict(private=False), "kid": "other"}]
    head, payload = segment({"alg": "ES256", "kid": "other"}), segment(idp.claims())
    signature = jws.JWSRegistry.algorithms["ES384"].sign(f"{head}.{payload}".encode(), other)
    assert await verified(issuer, f"{head}.{payload}.{segment(signature)}") is None
