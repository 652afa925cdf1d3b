"""The settings that are lists: origins, countries and networks, what is wrong with each is said at start."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.support.running_backend import GivenSettings

_LISTS = ("allowed_origins", "return_origins", "phone_countries", "trusted_proxies")


def _settings(**given: Any) -> Settings:
    return GivenSettings(**given)


def _mistake(**given: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        _settings(**given)
    return str(raised.value)


@pytest.mark.parametrize("name", _LISTS)
@pytest.mark.parametrize("text", ["", " ", ",", "[]"])
def test_an_empty_list_is_no_member(name: str, text: str) -> None:
    assert getattr(_settings(**{name: text}), name) == ()


@pytest.mark.parametrize(
    "text",
    [
        "https://app.example.com,http://localhost:5173",
        " https://app.example.com , http://localhost:5173, ",
        '["https://app.example.com", "http://localhost:5173"]',
        "HTTPS://App.Example.com:443/,http://localhost:5173/",
    ],
)
def test_origins_are_kept_as_browsers_send_them(text: str) -> None:
    settings = _settings(allowed_origins=text, return_origins=text)
    assert settings.allowed_origins == settings.return_origins == ("https://app.example.com", "http://localhost:5173")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("*", "is no origin"),
        ("https://*.example.com", "is no origin"),
        ("app.example.com", "is no origin"),
        ("localhost:5173", "is no origin"),
        ("null", "is no origin"),
        ("ftp://app.example.com", "is no origin"),
        ("https://user@app.example.com", "is no origin"),
        ("https://app.example.com:port", "is no origin"),
        ("https://[::1", "is no origin"),
        ("https://app.example.com/billing", "an origin ends after the host and the port"),
        ("https://app.example.com?x", "an origin ends after the host and the port"),
        ('["https://app.example.com"', "as JSON"),
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused_at_start(text: str, mistake: str) -> None:
    assert mistake in _mistake(allowed_origins=text)
    assert mistake in _mistake(return_origins=text)


def test_an_origin_may_be_an_ipv6_address() -> None:
    assert _settings(allowed_origins="http://[::1]:5173").allowed_origins == ("http://[::1]:5173",)


@pytest.mark.parametrize("text", ["NL,BE", "nl, be", '["NL", "BE"]'])
def test_countries_are_two_letters(text: str) -> None:
    assert _settings(phone_countries=text).phone_countries == ("NL", "BE")


@pytest.mark.parametrize("text", ["Netherlands", "NL;BE", "+31", "XX"])
def test_what_is_no_country_is_refused_at_start(text: str) -> None:
    assert "is no country with phone numbers" in _mistake(phone_countries=text)


@pytest.mark.parametrize("text", ["10.0.0.0/8,::1/128", '["10.0.0.0/8", "::1"]'])
def test_proxies_are_networks(text: str) -> None:
    assert _settings(trusted_proxies=text).trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize("text", ["proxy.internal", "10.0.0.1/8", "10.0.0.0/33", "*"])
def test_what_is_no_network_is_refused_at_start(text: str) -> None:
    assert "is no network, such as 10.0.0.0/8" in _mistake(trusted_proxies=text)
