"""E-mail addresses: how they are written, and when two are the same."""

from __future__ import annotations

import pytest

from app.accounts.emails import parse_email
from app.errors import InvalidInput


def test_blanks_around_an_address_are_dropped_and_its_domain_is_in_lower_case() -> None:
    email = parse_email("  Ada.Lovelace@Example.COM\n")
    assert email.address == "Ada.Lovelace@example.com"


def test_addresses_are_compared_without_regard_to_case() -> None:
    assert parse_email("Ada@Example.com").key == parse_email("aDA@eXAMPLE.com").key


@pytest.mark.parametrize(
    "address",
    ["ada@example.com", "a.b+c@sub.example.co", "o'hara_1@x-y.org", "1@1.xn--p1ai", f"{'a' * 64}@example.com"],
)
def test_addresses_of_every_ordinary_form_are_taken(address: str) -> None:
    assert parse_email(address).address == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@@example.com",
        "ada@exa mple.com",
        "ada lovelace@example.com",
        ".ada@example.com",
        "ada.@example.com",
        "a..b@example.com",
        "ada@-example.com",
        "ada@example-.com",
        "ada@example..com",
        "ada@192.168.0.1",
        "Ada <ada@example.com>",
        f"{'a' * 65}@example.com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not an e-mail address") as refused:
        parse_email(text, path=("input", "emailAddress"))
    assert refused.value.path == ("input", "emailAddress")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ada\r\nBcc: eve@example.com", "control characters"),
        ("ada\0@example.com", "control characters"),
        ("аda@example.com", "ASCII"),
        ("ada@exämple.com", "ASCII"),
        (f"ada@{'a.' * 125}com", "at most 254"),
    ],
)
def test_an_odd_address_is_refused_with_its_own_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_email(text)
