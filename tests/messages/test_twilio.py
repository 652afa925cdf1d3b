"""Codes through Twilio Verify, against a double that keeps its rules, changes its keys and fails on demand."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from itertools import count

import pytest
import pytest_asyncio

from app.accounts.security.shared_errors import CodeExpired, CodeWrong
from app.accounts.workspaces.phone_verification import MOST_TRIES, PhoneToVerify, send_code, verify_phone
from app.db.engine import Database
from app.errors import InvalidInput, RateLimited, Unavailable
from app.messages.sms_codes import CodeGone
from app.messages.twilio import TwilioSmsSender
from app.store import phones as phone_store
from tests.support.accounts import KEYS, LIMITS_OFF, Person, at_later, new_network, new_person
from tests.support.http_double import Answered, Asked, BreakOff, as_json, forever
from tests.support.twilio import TwilioDouble, failure, logged, twilio_double

_numbers = count(40_000_000)
_NUMBER = "+31612345678"


def _new_number() -> str:
    """A Dutch mobile number that no other test uses."""
    return f"+316{next(_numbers)}"


def _other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


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


async def _send(database: Database, sms_sender: TwilioSmsSender, person: Person, number: str) -> None:
    phone = PhoneToVerify(person.user.personal_workspace_id, number)
    await send_code(database, sms_sender, KEYS, LIMITS_OFF, person.caller, phone, remote_address=new_network())


async def _verify(database: Database, sms_sender: TwilioSmsSender, person: Person, number: str, code: str) -> None:
    phone = PhoneToVerify(person.user.personal_workspace_id, number)
    await verify_phone(database, sms_sender, KEYS, person.caller, phone, code)


async def _has_phone(database: Database, person: Person) -> bool:
    async with database.read() as session:
        return await phone_store.of_workspace(session, person.user.personal_workspace_id) is not None


async def test_a_code_sent_by_twilio_verifies_the_phone_once(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, number = await new_person(database), _new_number()
    await _send(database, sms_sender, person, number)
    code = twilio.code_of(number)
    await _verify(database, sms_sender, person, number, f" {code} ")
    assert await _has_phone(database, person)
    # a second click is answered as the first, and Twilio is not asked again
    asked = len(twilio.asked)
    await _verify(database, sms_sender, person, number, code)
    assert len(twilio.asked) == asked


async def test_a_wrong_code_is_wrong_and_changes_nothing(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, number = await new_person(database), _new_number()
    await _send(database, sms_sender, person, number)
    with pytest.raises(CodeWrong):
        await _verify(database, sms_sender, person, number, _other_than(twilio.code_of(number)))
    for code in ("12345", "1234567", "12345a"):
        with pytest.raises(InvalidInput, match="6 digits"):
            await _verify(database, sms_sender, person, number, code)
    assert not await _has_phone(database, person)


async def test_what_is_no_code_is_not_even_asked_about(twilio: TwilioDouble, sms_sender: TwilioSmsSender) -> None:
    for code in ("", "12345", "１２３４５６", "123456&To=x"):
        assert not await sms_sender.check_code(_NUMBER, "one", code)
    assert twilio.asked == []


async def test_after_five_wrong_tries_the_next_code_is_another_and_works(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, number = await new_person(database), _new_number()
    await _send(database, sms_sender, person, number)
    first = twilio.code_of(number)
    for _ in range(MOST_TRIES):
        with pytest.raises(CodeWrong):
            await _verify(database, sms_sender, person, number, _other_than(first))
    with pytest.raises(CodeExpired):
        await _verify(database, sms_sender, person, number, first)
    await _send(database, sms_sender, person, number)
    await _verify(database, sms_sender, person, number, twilio.code_of(number))
    assert await _has_phone(database, person)


async def test_a_code_that_twilio_has_seen_tried_too_often_is_expired_and_the_next_one_works(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, other, number = await new_person(database), await new_person(database), _new_number()
    for each in (person, other):
        await _send(database, sms_sender, each, number)
    wrong = _other_than(twilio.code_of(number))
    for each, tries in ((person, 3), (other, 2)):
        for _ in range(tries):
            with pytest.raises(CodeWrong):
                await _verify(database, sms_sender, each, number, wrong)
    with pytest.raises(CodeExpired):
        await _verify(database, sms_sender, person, number, twilio.code_of(number))
    await _send(database, sms_sender, person, number)
    await _verify(database, sms_sender, person, number, twilio.code_of(number))
    assert await _has_phone(database, person)


async def test_a_code_that_twilio_has_forgotten_is_expired(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, number = await new_person(database), _new_number()
    await _send(database, sms_sender, person, number)
    code = twilio.code_of(number)
    twilio.expire()
    with pytest.raises(CodeExpired):
        await _verify(database, sms_sender, person, number, code)
    assert not await _has_phone(database, person)


async def test_a_code_older_than_ten_minutes_is_expired_whatever_twilio_says(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, number = await new_person(database), _new_number()
    await _send(database, sms_sender, person, number)
    late = at_later(database, timedelta(minutes=10))
    with pytest.raises(CodeExpired):
        await _verify(late, sms_sender, person, number, twilio.code_of(number))
    assert [each.path for each in twilio.asked if each.path.endswith("Check")] == []


async def test_a_code_sent_for_one_workspace_verifies_no_other_without_a_send_for_it(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, other, number = await new_person(database), await new_person(database), _new_number()
    await _send(database, sms_sender, person, number)
    with pytest.raises(CodeExpired):
        await _verify(database, sms_sender, other, number, twilio.code_of(number))
    assert not await _has_phone(database, other)
    await _verify(database, sms_sender, person, number, twilio.code_of(number))


async def test_after_a_send_that_failed_the_code_of_another_workspace_verifies_nothing(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, other, number = await new_person(database), await new_person(database), _new_number()
    await _send(database, sms_sender, person, number)

    async def is_busy(_asked: Asked) -> Answered:
        return failure(60203)

    twilio.instead = is_busy
    with pytest.raises(RateLimited):
        await _send(database, sms_sender, other, number)
    twilio.instead = None
    with pytest.raises(CodeExpired):
        await _verify(database, sms_sender, other, number, twilio.code_of(number))
    assert not await _has_phone(database, other)


async def test_one_number_under_way_for_two_workspaces_verifies_one_and_then_the_other_with_a_code_of_its_own(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    one, two, number = await new_person(database), await new_person(database), _new_number()
    for each in (one, two):
        await _send(database, sms_sender, each, number)
    code = twilio.code_of(number)
    await _verify(database, sms_sender, one, number, code)
    with pytest.raises(CodeExpired):
        await _verify(database, sms_sender, two, number, code)
    await _send(database, sms_sender, two, number)
    await _verify(database, sms_sender, two, number, twilio.code_of(number))
    assert await _has_phone(database, one)
    assert await _has_phone(database, two)


async def test_a_send_that_fails_leaves_the_earlier_code_good(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, number = await new_person(database), _new_number()
    await _send(database, sms_sender, person, number)
    twilio.instead = forever_broken
    with pytest.raises(Unavailable):
        await _send(database, sms_sender, person, number)
    twilio.instead = None
    await _verify(database, sms_sender, person, number, twilio.code_of(number))
    assert await _has_phone(database, person)


async def forever_broken(_asked: Asked) -> Answered:
    """Break every connection off."""
    raise BreakOff


async def test_after_five_sends_twilio_wants_us_to_wait(twilio: TwilioDouble, sms_sender: TwilioSmsSender) -> None:
    for _ in range(5):
        await sms_sender.send_code(_NUMBER, "one")
    with pytest.raises(RateLimited) as raised:
        await sms_sender.send_code(_NUMBER, "one")
    assert raised.value.extensions["retryAfterSeconds"] == 600
    assert len(twilio.sent) == 5


@pytest.mark.parametrize(("retry_after", "waited"), [("30", 30), ("0", 1), ("999999", 3600), ("soon", 600)])
async def test_how_long_to_wait_is_as_twilio_says_within_reason(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, retry_after: str, waited: int
) -> None:
    async def is_busy(_asked: Asked) -> Answered:
        return failure(60203, 429, retry_after=retry_after)

    twilio.instead = is_busy
    with pytest.raises(RateLimited) as raised:
        await sms_sender.send_code(_NUMBER, "one")
    assert raised.value.extensions["retryAfterSeconds"] == waited


async def test_a_number_that_can_not_be_texted_is_the_persons_mistake(
    database: Database, twilio: TwilioDouble, sms_sender: TwilioSmsSender
) -> None:
    person, number = await new_person(database), _new_number()
    twilio.landlines.add(number)
    with pytest.raises(InvalidInput) as raised:
        await _send(database, sms_sender, person, number)
    assert raised.value.path == ("input", "phoneNumber")


@pytest.mark.parametrize(
    "answered",
    [
        *(Answered(status, b"{}") for status in (200, 201, 204, 302, 400, 401, 403, 500, 503)),
        *(Answered(201, body) for body in (b"", b"null", b"[1]", b'"pending"', b"<html>", b'{"status": ["pending"]}')),
        *(Answered(400, body) for body in (b"", b"[]", b'{"code": "60205"}', b'{"code": null}')),
    ],
    ids=repr,
)
async def test_an_answer_that_can_not_be_read_means_that_twilio_is_unavailable(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, answered: Answered
) -> None:
    async def answer(_asked: Asked) -> Answered:
        return answered

    twilio.instead = answer
    with pytest.raises(Unavailable):
        await sms_sender.send_code(_NUMBER, "one")
    with pytest.raises(Unavailable):
        await sms_sender.check_code(_NUMBER, "one", "123456")


async def test_twilio_slow_or_breaking_off_is_unavailable_and_is_asked_once(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.messages.twilio._TIMEOUT_SECONDS", 0.2)
    for instead in (forever, forever_broken):
        twilio.asked.clear()
        twilio.instead = instead
        with pytest.raises(Unavailable):
            await sms_sender.send_code(_NUMBER, "one")
        assert len(twilio.asked) == 1


async def test_twilio_that_can_not_be_reached_is_unavailable() -> None:
    async with twilio_double() as double:
        gone = double.sms_sender()
    async with gone as sms_sender:
        with pytest.raises(Unavailable):
            await sms_sender.send_code(_NUMBER, "one")
        with pytest.raises(Unavailable):
            await sms_sender.check_code(_NUMBER, "one", "123456")
        await sms_sender.drop_code(_NUMBER, "one")


async def test_a_changed_token_is_refused_until_the_settings_have_it_too(twilio: TwilioDouble) -> None:
    async with twilio.sms_sender() as before:
        await before.send_code(_NUMBER, "one")
        twilio.auth_token = "the second token"
        with pytest.raises(Unavailable):
            await before.send_code(_NUMBER, "one")
        with pytest.raises(Unavailable):
            await before.check_code(_NUMBER, "one", twilio.code_of(_NUMBER))
    async with twilio.sms_sender() as after:
        assert await after.check_code(_NUMBER, "one", twilio.code_of(_NUMBER))


async def test_a_code_that_has_ended_in_any_way_is_gone(twilio: TwilioDouble, sms_sender: TwilioSmsSender) -> None:
    for status in ("canceled", "expired", "max_attempts_reached", "deleted", "failed"):

        async def answer(_asked: Asked, status: str = status) -> Answered:
            return as_json({"status": status, "valid": False})

        twilio.instead = answer
        with pytest.raises(CodeGone):
            await sms_sender.check_code(_NUMBER, "one", "123456")


async def test_neither_the_number_nor_twilios_message_is_logged(
    twilio: TwilioDouble, sms_sender: TwilioSmsSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = logged(monkeypatch)

    async def refuse(_asked: Asked) -> Answered:
        return failure(20003)

    for instead in (refuse, forever_broken):
        twilio.instead = instead
        with pytest.raises(Unavailable):
            await sms_sender.send_code(_NUMBER, "one")
        with pytest.raises(Unavailable):
            await sms_sender.check_code(_NUMBER, "one", "123456")
        await sms_sender.drop_code(_NUMBER, "one")
    assert "twilio.failed" in written.getvalue()
    assert "twilio.unreachable" in written.getvalue()
    assert "12345678" not in written.getvalue()
