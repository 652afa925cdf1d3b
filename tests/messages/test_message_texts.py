"""The texts of mails: what they say of times, and that they are safe as HTML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.messages import message_texts
from app.messages.mail import Mail
from app.messages.sms_codes import CODE_LIFETIME
from app.wording import duration

_TO = "ada@example.com"
_LINK = "https://example.com/verify-email?token=abc123"
_ASKED_AT = datetime(2030, 1, 1, tzinfo=UTC)

_WITH_A_LIFETIME: dict[str, Callable[[timedelta], Mail]] = {
    "confirm": lambda lifetime: message_texts.confirm_address(_TO, _LINK, lifetime, asked_at=_ASKED_AT),
    "verify": lambda lifetime: message_texts.verify_address(_TO, _LINK, lifetime, "ada"),
    "reset": lambda lifetime: message_texts.reset_password(_TO, _LINK, lifetime),
    "code": lambda lifetime: message_texts.reauthentication_code(_TO, "012345", lifetime),
    "invitation": lambda lifetime: message_texts.invitation(_TO, _LINK, lifetime),
}


@pytest.mark.parametrize("write", _WITH_A_LIFETIME.values(), ids=_WITH_A_LIFETIME.keys())
def test_a_mail_with_a_link_or_code_says_how_long_it_can_be_used(write: Callable[[timedelta], Mail]) -> None:
    for lifetime, text in ((timedelta(hours=24), "24 hours"), (timedelta(days=5), "5 days")):
        mail = write(lifetime)
        assert text in mail.text
        assert text in mail.html


def test_a_text_message_says_how_long_its_code_can_be_used() -> None:
    assert f"for {duration(CODE_LIFETIME)}." in message_texts.phone_code("012345")


def test_html_mails_escape_what_they_are_given() -> None:
    mail = message_texts.reset_password(_TO, 'https://example.com/?a=1&b="><script>', timedelta(hours=1))
    assert "<script>" not in mail.html


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (message_texts.trial_ends_soon, "2030-01-01 at 00:00 UTC"),
        (message_texts.plan_given, "2030-01-01 at 00:00 UTC"),
    ],
    ids=["trial", "given"],
)
def test_a_mail_about_an_end_names_its_day(write: Callable[[str, str, datetime | None], Mail], named: str) -> None:
    assert named in write(_TO, "acme", _ASKED_AT).text
    assert "acme" in write(_TO, "acme", None).text


def test_a_request_for_sales_is_answered_to_its_asker_and_is_safe_as_html() -> None:
    mail = message_texts.sales_request("sales@example.com", "acme", _TO, "First line\nsecond <script>")
    assert (mail.to, mail.reply_to) == ("sales@example.com", _TO)
    assert "First line\nsecond <script>" in mail.text
    assert "First line<br>\nsecond &lt;script&gt;" in mail.html
    assert message_texts.sales_request("sales@example.com", "acme", _TO, None).reply_to == _TO
