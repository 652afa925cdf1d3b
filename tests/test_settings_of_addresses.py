"""The settings that are keys of Stripe's or addresses: what is wrong with each is said at start, without repeating it."""

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


def _settings(**given: Any) -> Settings:
    return GivenSettings(**given)


def _mistake(**given: Any) -> str:
    """What is said of the one setting that is wrong, after its name."""
    with pytest.raises(ValidationError) as raised:
        _settings(**given)
    [error] = raised.value.errors()
    assert "input_value" not in str(raised.value)
    assert error["loc"] == tuple(given)
    return error["msg"]


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x", "whsec_x", "pk", "pk_", "live_pk_x", "pk_live_x sk_live_x"])
def test_a_publishable_key_is_one_since_it_is_handed_to_anyone(key: str) -> None:
    assert "begins with pk_" in _mistake(stripe_publishable_key=key)
    assert _settings(stripe_publishable_key="pk_live_x").stripe_publishable_key == "pk_live_x"


@pytest.mark.parametrize("key", ["pk_live_x", "whsec_x", "x", "sk_", "sk_live_x\n"])
def test_an_api_key_is_a_secret_or_a_restricted_one(key: str) -> None:
    assert "begins with sk_ or rk_" in _mistake(stripe_api_key=key)
    for good in ("sk_live_x", "rk_live_x"):
        assert _settings(stripe_api_key=good).stripe_api_key == good


@pytest.mark.parametrize("secret", ["sk_live_x", "we_1234", "whsec_"])
def test_the_secret_of_a_webhook_is_one(secret: str) -> None:
    assert "begins with whsec_" in _mistake(stripe_webhook_secret=secret)
    assert _settings(stripe_webhook_secret="whsec_x").stripe_webhook_secret == "whsec_x"


def test_no_secret_is_repeated_where_another_setting_is_wrong() -> None:
    with pytest.raises(ValidationError) as raised:
        _settings(
            **{**_PRODUCTION, "stripe_api_key": "sk_live_hidden", "secret_key": "hidden as well in it", "port": "x"}
        )
    assert "hidden" not in str(raised.value)
    with pytest.raises(ValidationError) as raised:
        _settings(**{**_PRODUCTION, "stripe_api_key": "sk_live_hidden", "storage_url": None})
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.com",
        "mail.example.com",
        "smtp://",
        "smtp://:587",
        "smtp://mail.example.com:mail",
        "smtp://mail.example.com:99999",
        "smtp://[::1",
        "smtp://mail .example.com",
        "smtp://user:hid#den@mail.example.com",
        "smtp://user:hid/den@mail.example.com",
        "smtp://us?er:hidden@mail.example.com",
        "smtp://mail.example.com/inbox",
    ],
)
def test_a_mail_server_is_told_by_a_url_of_its_own(url: str) -> None:
    mistake = _mistake(smtp_url=url)
    assert "smtp://host or smtps://host" in mistake
    assert "den@" not in mistake


@pytest.mark.parametrize("url", ["smtp://mail.example.com", "smtps://ada%40example.com:p%2Fw@mail.example.com:465/"])
def test_and_one_that_is_whole_is_taken(url: str) -> None:
    assert _settings(smtp_url=url).smtp_url == url


@pytest.mark.parametrize(
    "url", ["foo", "foo:hidden", "http://redis.example.com", "redis://redis.example.com:port", "redis://u:hid#den@h"]
)
def test_hints_travel_over_redis_or_postgresql(url: str) -> None:
    assert "begins with redis://, rediss:// or postgresql://" in _mistake(broadcast_url=url)


@pytest.mark.parametrize(
    "url", ["redis://h:6379/0", "rediss://:p%23w@h", "postgresql://h/d", "postgres://h/d", "memory://"]
)
def test_and_over_what_else_carries_them(url: str) -> None:
    assert _settings(broadcast_url=url).broadcast_url == url


@pytest.mark.parametrize(
    "url",
    [
        "zzz",
        "mysql://user:hidden@h/d",
        "postgresql+asyncpg://h/d",
        "postgresql:/h/d",
        "host=h dbname=d",
        "postgresql://h:port/d",
        "postgresql://user:hid#den@h/d",
        "postgresql://user:hid/den@h/d",
        "postgresql://h/d e",
    ],
)
def test_the_database_is_a_postgresql(url: str) -> None:
    mistake = _mistake(database_url=url)
    assert "begins with postgresql://" in mistake
    assert "hid" not in mistake


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:p%23w@h:5432/d", "postgres://h", "postgresql:///d?host=/run/postgresql", "postgresql://[::1]/d"],
)
def test_and_may_be_written_as_postgresql_takes_it(url: str) -> None:
    assert _settings(database_url=url).database_url == url


_NOT_PUBLIC = [
    "example.com",
    "//example.com",
    "https://",
    "https:///billing",
    "ftp://example.com",
    "https://user:hidden@example.com",
    "https://example.com?tenant=1",
    "https://example.com?",
    "https://example.com/#/",
    "https://example.com:port",
    "https://exam ple.com",
    "https://example.com/<b>",
    'https://example.com/"',
    "https://example.com\n",
    "https://*.example.com",
    "https://[::1",
]


@pytest.mark.parametrize("url", _NOT_PUBLIC)
def test_mailed_links_begin_with_an_address_that_browsers_open(url: str) -> None:
    assert "begins with https://" in _mistake(public_url=url)


@pytest.mark.parametrize(
    "url",
    ["https://example.com", "https://example.com/billing/", "http://192.0.2.1:8000", "HTTPS://Example.com:8443/a-b"],
)
def test_which_may_have_a_path_and_in_development_be_plain(url: str) -> None:
    assert _settings(public_url=url).base_url == url.rstrip("/")


def test_but_in_production_is_encrypted_unless_it_leads_to_this_machine() -> None:
    for url in ("http://billing.example.com", "http://192.0.2.1:8000"):
        with pytest.raises(ValidationError, match="PUBLIC_URL begins with https:// in production"):
            _settings(**{**_PRODUCTION, "public_url": url})
    for url in (
        "https://billing.example.com/account",
        "http://127.0.0.1:8000",
        "http://localhost",
        "http://[::1]:8000",
    ):
        assert _settings(**{**_PRODUCTION, "public_url": url}).public_url == url


@pytest.mark.parametrize(
    "sender",
    [
        "Billing",
        "Billing <billing>",
        "a@example.com, b@example.com",
        "Billing, Inc <billing@example.com>",
        "<>",
        "billing@",
        "@example.com",
        "a b@example.com",
        "Billing <billing@example.com",
        "Billing <billing@example.com> x",
        "billing@example.com\nBcc: x@example.com",
        "group: billing@example.com;",
    ],
)
def test_mails_come_from_one_address(sender: str) -> None:
    assert "one address, such as Billing <billing@example.com>" in _mistake(mail_from=sender)


@pytest.mark.parametrize(
    "sender",
    [
        "billing@example.com",
        "Billing <billing@example.com>",
        '"Billing, Inc." <billing@example.com>',
        "Rechnungen für Müller <billing@example.com>",
        "J. Doe <billing@example.com>",
        "<billing@example.com>",
        "Counterfoil <no-reply@localhost>",
    ],
)
def test_which_may_have_a_name(sender: str) -> None:
    assert _settings(mail_from=sender).mail_from == sender
