"""The settings of the identity provider and of Twilio: whole or absent, and never spoken to where others can listen."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.support.running_backend import GivenSettings

_PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "secret_key": "a secret key for tests only",
    "abuse_pepper": "a pepper for tests only",
    "database_url": "postgresql://db.example.com/counterfoil",
    "public_url": "https://billing.example.com",
    "stripe_api_key": "sk_test_x",
    "stripe_publishable_key": "pk_test_x",
    "storage_url": "s3://pictures",
}
_TWILIO: dict[str, Any] = {
    "twilio_account_sid": "AC1",
    "twilio_auth_token": "secret",
    "twilio_verify_service_sid": "VA1",
}
_OIDC: dict[str, Any] = {"oidc_issuer": "https://id.example.com/realms/main", "oidc_audience": "billing"}


def _settings(**given: Any) -> Settings:
    return GivenSettings(**given)


def _mistake(**given: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        _settings(**given)
    return str(raised.value)


def test_without_them_there_is_neither() -> None:
    settings = _settings()
    assert (settings.oidc_issuer, settings.oidc_audience, settings.twilio_verify_service_sid) == (None, (), None)
    assert settings.twilio_base_url == "https://verify.twilio.com"


def test_an_issuer_may_have_tokens_for_several_audiences() -> None:
    settings = _settings(**{**_PRODUCTION, **_OIDC, **_TWILIO, "oidc_audience": "billing, web"})
    assert settings.oidc_audience == ("billing", "web")


@pytest.mark.parametrize("left_out", list(_OIDC))
def test_issuer_and_audience_are_given_together(left_out: str) -> None:
    given = {name: value for name, value in _OIDC.items() if name != left_out}
    assert "OIDC_ISSUER and OIDC_AUDIENCE are given together" in _mistake(**given)


@pytest.mark.parametrize("left_out", list(_TWILIO))
def test_what_twilio_wants_is_given_together(left_out: str) -> None:
    given = {name: value for name, value in _TWILIO.items() if name != left_out}
    assert "are given together" in _mistake(**given)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.com",
        "id.example.com",
        "https://",
        "ftp://id.example.com",
        "https://user:secret@id.example.com",
        "https://id.example.com?tenant=1",
        "https://id.example.com#top",
        "http://[::1",
    ],
)
def test_an_issuer_or_twilio_is_spoken_to_by_https_and_by_nothing_else(url: str) -> None:
    assert "OIDC_ISSUER is an address that begins with https://" in _mistake(oidc_issuer=url, oidc_audience="billing")
    assert "TWILIO_BASE_URL is an address that begins with https://" in _mistake(twilio_base_url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost:9000/realms/main", "http://[::1]:9000"])
def test_or_in_development_by_http_on_this_machine(url: str) -> None:
    assert _settings(oidc_issuer=url, oidc_audience="billing", twilio_base_url=url).oidc_issuer == url
    assert "https://" in _mistake(**{**_PRODUCTION, **_OIDC, "oidc_issuer": url})
    assert "https://" in _mistake(**{**_PRODUCTION, "twilio_base_url": url})
