"""The profile of a token's holder: from the token, or from the issuer's userinfo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from app.oidc.issuer import Issuer
from app.oidc.key_cache import IssuerUnavailable
from tests.oidc.bad_answers import BAD_ANSWERS, fixed
from tests.support.http_double import Answered, as_json
from tests.support.oidc import USERINFO, IssuerDouble


async def test_the_holder_is_asked_about_where_the_token_names_no_address(idp: IssuerDouble, issuer: Issuer) -> None:
    idp.publish_userinfo()
    token = idp.token(sub="ada")
    idp.people[token] = {"sub": "ada", "email": "ada@example.com", "email_verified": "true", "given_name": "Ada"}
    claims = await issuer.verify(token, datetime.now(UTC))
    assert claims is not None
    first = await issuer.profile(token, claims)
    profile, *_ = [await issuer.profile(token, claims) for _ in range(5)]
    assert profile is first
    assert (profile.email, profile.is_email_verified, profile.given_name) == ("ada@example.com", True, "Ada")
    assert idp.count(USERINFO) == 1


@pytest.mark.parametrize("email", [{"email": "ada@example.com"}, {"email": "no address"}])
async def test_a_token_with_an_address_needs_no_userinfo(
    idp: IssuerDouble, issuer: Issuer, email: Mapping[str, Any]
) -> None:
    idp.publish_userinfo()
    token = idp.token(**email)
    claims = await issuer.verify(token, datetime.now(UTC))
    assert claims is not None
    assert (await issuer.profile(token, claims)).email == email["email"]
    assert idp.count(USERINFO) == 0


async def test_userinfo_of_another_subject_is_ignored(idp: IssuerDouble, issuer: Issuer) -> None:
    idp.publish_userinfo()
    for claims_of_another in ({"sub": "eve"}, {}, {"sub": None}, {"sub": ["ada"]}):
        token = idp.token(sub="ada")
        idp.people[token] = {**claims_of_another, "email": "eve@example.com", "email_verified": True}
        claims = await issuer.verify(token, datetime.now(UTC))
        assert claims is not None
        assert (await issuer.profile(token, claims)).email is None


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_an_issuer_that_refuses_userinfo_leaves_the_profile_of_the_token(
    idp: IssuerDouble, issuer: Issuer, status: int
) -> None:
    idp.publish_userinfo()
    idp.instead[USERINFO] = fixed(Answered(status))
    token = idp.token()
    claims = await issuer.verify(token, datetime.now(UTC))
    assert claims is not None
    assert (await issuer.profile(token, claims)).email is None


@pytest.mark.parametrize("kind", ["500", "a redirect", "HTML", "endless", "a break"])
async def test_userinfo_that_can_not_be_fetched_means_that_the_issuer_is_unavailable(
    idp: IssuerDouble, issuer: Issuer, kind: str
) -> None:
    idp.publish_userinfo()
    idp.instead[USERINFO] = BAD_ANSWERS[kind]
    token = idp.token(sub="ada")
    claims = await issuer.verify(token, datetime.now(UTC))
    assert claims is not None
    with pytest.raises(IssuerUnavailable):
        await issuer.profile(token, claims)
    idp.comes_back()
    idp.people[token] = {"sub": "ada", "email": "ada@example.com"}
    assert (await issuer.profile(token, claims)).email == "ada@example.com"


async def test_a_token_is_shown_to_nobody_but_userinfo(idp: IssuerDouble, issuer: Issuer) -> None:
    idp.publish_userinfo()
    token = idp.token(sub="ada")
    claims = await issuer.verify(token, datetime.now(UTC))
    assert claims is not None
    await issuer.profile(token, claims)
    assert [asked.path for asked in idp.asked if "authorization" in asked.headers] == [USERINFO]
    assert [asked.path for asked in idp.asked if token in asked.path] == []


async def test_what_is_set_while_one_person_is_asked_about_is_not_sent_along_for_the_next(
    idp: IssuerDouble, issuer: Issuer
) -> None:
    idp.publish_userinfo()
    idp.instead[USERINFO] = fixed(as_json({"sub": "ada"}, headers={"set-cookie": "session=ada; Path=/"}))
    for subject in ("ada", "eve"):
        token = idp.token(sub=subject)
        claims = await issuer.verify(token, datetime.now(UTC))
        assert claims is not None
        await issuer.profile(token, claims)
    assert idp.count(USERINFO) == 2
    assert [asked.path for asked in idp.asked if "cookie" in asked.headers] == []
