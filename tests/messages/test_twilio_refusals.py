"""Twilio's error codes: which are errors of the number, and which are for the operators."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from app.errors import InvalidInput, RateLimited, Unavailable
from app.messages.sms_codes import CodeGone
from app.messages.twilio import TwilioSmsSender
from tests.support.http_double import Answer, Answered, Asked, as_json
from tests.support.twilio import TwilioDouble, failure, logged, twilio_double

_NUMBER = "+31612345678"


def _refusing(answered: Answered) -> Answer:
    """An answer that is always the same."""

    async def refuse(_asked: Asked) -> Answered:
        return answered

    return refuse


@pytest_asyncio.fixture
async def twilio() -> AsyncGenerator[TwilioDouble]:
    """A Twilio for this test only."""
    async with twilio_double() as double:
        yield double


@pytest_asyncio.fixture
async def sms_sender(twilio: TwilioDouble) -> AsyncGenerator[TwilioSmsSender]:
    """The product's client of it."""
    async with twilio.sms_sender() as made:
        yield made


@pytest.mark.parametrize("code", [60200, 60205, 21211, 21614, 21635])
async def test_every_way_to_say_that_a_number_can_not_be_texted_is_understood(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, code: int
) -> None:
    twilio.instead = _refusing(failure(code, 400))
    with pytest.raises(InvalidInput):
        await sms_sender.send_code(_NUMBER, "one")


_OURS = [
    *((20003, 401), (20003, 403), (20404, 404), (20429, 429), (60207, 429), (None, 429), (21608, 400), (60204, 400)),
    *((60223, 400), (60220, 400), (60217, 400), (21408, 403), (21612, 400), (60238, 403), (60410, 403), (60605, 403)),
]


@pytest.mark.parametrize(("code", "status"), _OURS)
async def test_what_the_account_may_not_do_is_no_mistake_in_the_number_and_is_logged(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, monkeypatch: pytest.MonkeyPatch, code: int | None, status: int
) -> None:
    written = logged(monkeypatch)
    twilio.instead = _refusing(failure(code, status) if code is not None else Answered(status, b"slow down"))
    with pytest.raises(Unavailable):
        await sms_sender.send_code(_NUMBER, "one")
    assert "twilio.failed" in written.getvalue()
    assert f"status={status}" in written.getvalue()
    assert f"code={code}" in written.getvalue()
    assert "12345678" not in written.getvalue()


async def test_a_channel_that_the_account_does_not_have_is_no_mistake_in_the_number(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = logged(monkeypatch)
    twilio.instead = _refusing(as_json({"code": 60200, "message": "Invalid parameter: Channel", "status": 400}, 400))
    with pytest.raises(Unavailable):
        await sms_sender.send_code(_NUMBER, "one")
    assert "code=60200" in written.getvalue()


@pytest.mark.parametrize(("code", "waited"), [(60203, 600), (60212, 60)])
async def test_too_many_sends_to_one_number_are_for_its_holder_to_wait_out(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, monkeypatch: pytest.MonkeyPatch, code: int, waited: int
) -> None:
    written = logged(monkeypatch)
    twilio.instead = _refusing(failure(code, 429))
    with pytest.raises(RateLimited) as raised:
        await sms_sender.send_code(_NUMBER, "one")
    assert raised.value.extensions["retryAfterSeconds"] == waited
    assert written.getvalue() == ""


async def test_a_limit_of_the_account_says_nothing_of_the_code_that_is_checked(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = logged(monkeypatch)
    twilio.instead = _refusing(failure(20429, 429))
    with pytest.raises(Unavailable):
        await sms_sender.check_code(_NUMBER, "one", "123456")
    assert "code=20429" in written.getvalue()
    twilio.instead = _refusing(failure(60202))
    with pytest.raises(CodeGone):
        await sms_sender.check_code(_NUMBER, "one", "123456")
