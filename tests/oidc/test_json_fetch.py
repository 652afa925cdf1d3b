"""Fetching what an issuer publishes: unusable answers are refused, and no URL leads into a private network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.oidc.issuer import Issuer
from app.oidc.json_fetch import Fetcher, NotFetched
from app.oidc.key_cache import FETCH_PAUSE_SECONDS, IssuerUnavailable
from tests.oidc.bad_answers import BAD_ANSWERS, fixed
from tests.oidc.manual_clock import ManualClock
from tests.oidc.tokens import is_accepted
from tests.support.http_double import Answer, Answered, Asked, as_json, forever
from tests.support.oidc import DISCOVERY, KEYS, IssuerDouble


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
@pytest.mark.parametrize("kind", list(BAD_ANSWERS))
async def test_an_answer_that_can_not_be_used_means_that_the_issuer_is_unavailable(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock, path: str, kind: str
) -> None:
    idp.instead[path] = BAD_ANSWERS[kind]
    idp.instead["/elsewhere"] = fixed(as_json({"issuer": idp.url, "jwks_uri": idp.url + KEYS}))
    with pytest.raises(IssuerUnavailable):
        await is_accepted(issuer, idp.token())
    assert idp.count("/elsewhere") == 0
    idp.comes_back()
    clock.advance(FETCH_PAUSE_SECONDS)
    assert await is_accepted(issuer, idp.token())


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
@pytest.mark.parametrize(
    "slow", [forever, fixed(Answered(200, b"{", is_endless=True, drips=True))], ids=["no", "drips"]
)
async def test_an_issuer_that_never_comes_to_an_end_is_given_up(
    idp: IssuerDouble, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, path: str, slow: Answer
) -> None:
    monkeypatch.setattr("app.oidc.json_fetch._TIMEOUT_SECONDS", 0.2)
    idp.instead[path] = slow
    with pytest.raises(IssuerUnavailable):
        await asyncio.wait_for(is_accepted(issuer, idp.token()), 60)


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
async def test_a_document_that_is_right_but_huge_is_not_read(idp: IssuerDouble, issuer: Issuer, path: str) -> None:
    async def padded(asked: Asked) -> Answered:
        del idp.instead[path]
        right = await idp.answer(asked)
        return replace(right, body=right.body + b" " * 300_000)

    idp.instead[path] = padded
    with pytest.raises(IssuerUnavailable):
        await is_accepted(issuer, idp.token())


@pytest.mark.parametrize(
    ("issuer_url", "url"),
    [
        ("https://issuer.example.com", "http://issuer.example.com/keys"),
        ("https://issuer.example.com", "http://127.0.0.1:9/keys"),
        ("http://127.0.0.1:9", "http://keys.example.com/keys"),
        ("https://issuer.example.com", "ftp://issuer.example.com/keys"),
    ],
)
async def test_nothing_is_fetched_without_tls(issuer_url: str, url: str) -> None:
    fetcher = Fetcher(issuer_url, _Names({}))
    with pytest.raises(NotFetched, match="not https"):
        await fetcher.get(url)
    await fetcher.aclose()


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://another.example.com"},
        {"issuer": None},
        {"issuer": ["it"]},
        {"jwks_uri": None},
        {"jwks_uri": 5},
        {"jwks_uri": ""},
        {"jwks_uri": "keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://keys.example.com/keys"},
        {"jwks_uri": "http://10.0.0.1/keys"},
        {"jwks_uri": "https://user:secret@127.0.0.1/keys"},
        {"jwks_uri": "http://[::1/keys"},
        {"jwks_uri": "https://" + "x" * 3_000},
    ],
    ids=repr,
)
async def test_discovery_with_wrong_or_forbidden_values_is_not_followed(
    idp: IssuerDouble, issuer: Issuer, discovery: Mapping[str, Any]
) -> None:
    idp.discovery.update(discovery)
    with pytest.raises(IssuerUnavailable):
        await is_accepted(issuer, idp.token())
    assert idp.count(KEYS) == 0


class _Names:
    """Looks host names up in a table of the test."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    async def __call__(self, host: str) -> Sequence[str]:
        return [self._addresses[host]]


@pytest.mark.parametrize("private", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "::1", "fd00::1"])
async def test_an_issuer_on_the_open_network_can_not_lead_into_a_private_one(private: str) -> None:
    names = _Names({"issuer.example.com": "93.184.215.14", "inside.example.com": private})
    fetcher = Fetcher("https://issuer.example.com", names)
    with pytest.raises(NotFetched, match="private"):
        await fetcher.get("https://inside.example.com/keys")
    await fetcher.aclose()


async def test_an_issuer_in_a_private_network_may_name_another_host_of_it() -> None:
    names = _Names({"issuer.example.com": "10.0.0.1", "127.0.0.2": "127.0.0.2"})
    fetcher = Fetcher("https://issuer.example.com", names)
    # allowed, and then nobody listens there
    with pytest.raises(NotFetched, match="ConnectError"):
        await fetcher.get("https://127.0.0.2:9/keys")
    await fetcher.aclose()
