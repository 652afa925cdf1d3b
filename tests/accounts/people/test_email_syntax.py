"""The syntax of e-mail addresses, and when two are the same."""

from __future__ import annotations

import pytest

from app.accounts.people.email_syntax import parse_email
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
    ("text", "reason"),
    [
        ("", "has an @"),
        ("ada", "has an @"),
        ("ada@", "nothing after the @"),
        ("@example.com", "nothing before the @"),
        ("ada@@example.com", "a single @"),
        ("ada@home@example.com", "a single @"),
        (f"{'a' * 65}@example.com", "at most 64 characters before the @"),
        (".ada@example.com", "a dot first or last before the @, nor two in a row"),
        ("ada.@example.com", "a dot first or last before the @, nor two in a row"),
        ("a..b@example.com", "a dot first or last before the @, nor two in a row"),
        ("ada lovelace@example.com", "a blank before the @"),
        ("Ada <ada@example.com>", "a blank before the @"),
        ("ada,@example.com", "“,” before the @"),
        ("ada@exa mple.com", "a blank after the @"),
        ("ada@exa_mple.com", "“_” after the @"),
        ("ada@[192.168.0.1]", r"“\[” after the @"),
        ("ada@example.com>", "“>” after the @"),
        ("ada@example", "no dot after the @"),
        ("ada@example..com", "a dot first or last after the @, nor two in a row"),
        ("ada@example.com.", "a dot first or last after the @, nor two in a row"),
        ("ada@192.168.0.1", "end in a number"),
        ("ada@-example.com", "with a hyphen, as “-example” does"),
        ("ada@example-.com", "with a hyphen, as “example-” does"),
        (f"ada@{'a' * 64}.com", "at most 63 characters"),
        ("ada\r\nBcc: eve@example.com", "control characters"),
        ("ada\0@example.com", "control characters"),
        ("аda@example.com", "before the @ can't be used here"),
        ("ada@exämple.com", "Punycode"),
        (f"ada@{'a.' * 125}com", "at most 254"),
    ],
)
def test_an_odd_address_is_refused_with_its_own_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        parse_email(text, path=("input", "emailAddress"))
    assert refused.value.path == ("input", "emailAddress")
