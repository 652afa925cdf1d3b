"""Mails and text messages: queued with the work, encrypted while they wait, shown in the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from cryptography.fernet import InvalidToken
from sqlalchemy import text

from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.messages import message_texts
from app.messages.development_inbox import InboxMailer, InboxSmsSender, newest_messages
from app.messages.mail import Mail, deliver, encrypt, queue_mail
from tests.support.accounts import KEYS, RecordingMailer, at_later, queued_mails, texted_codes

_ASKED_AT = datetime(2030, 1, 1, tzinfo=UTC)
_LINK = "https://example.com/verify-email?token=abc123"


def _mail(to: str = "ada@example.com") -> Mail:
    return message_texts.confirm_address(to, _LINK, timedelta(hours=1), asked_at=_ASKED_AT)


async def _queue(database: Database, mail: Mail) -> None:
    async def work(session: Session) -> None:
        await session.execute(text("SELECT 1"))
        queue_mail(session, mail, KEYS.mail)

    await transact(database, work)


async def _payload(database: Database) -> Mapping[str, str]:
    async with database.read() as session:
        return orjson.loads((await session.execute(text("SELECT payload FROM pgqueuer"))).scalar_one())


async def test_a_queued_mail_arrives_as_it_was_written(fresh_database: Database) -> None:
    mail = _mail()
    await _queue(fresh_database, mail)
    assert await queued_mails(fresh_database, "ada@example.com") == [mail]


async def test_a_waiting_mail_shows_neither_address_nor_token(fresh_database: Database) -> None:
    await _queue(fresh_database, _mail())
    payload = orjson.dumps(await _payload(fresh_database))
    assert b"ada" not in payload
    assert b"abc123" not in payload


async def test_a_queued_mail_opens_with_no_other_key(fresh_database: Database) -> None:
    await _queue(fresh_database, _mail())
    mailer = RecordingMailer()
    with pytest.raises(InvalidToken):
        await deliver(mailer, await _payload(fresh_database), KEYS.codes)
    assert mailer.mails == []


async def test_a_mail_queued_in_work_that_fails_is_never_sent(fresh_database: Database) -> None:
    async def work(session: Session) -> None:
        await session.execute(text("SELECT 1"))
        queue_mail(session, _mail(), KEYS.mail)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await transact(fresh_database, work)
    assert await queued_mails(fresh_database, "ada@example.com") == []


async def test_the_inbox_shows_mails_and_text_messages_newest_first(fresh_database: Database) -> None:
    await InboxMailer(fresh_database).send(_mail())
    await InboxSmsSender(fresh_database, KEYS.codes).send_code("+31612345678", "a test")
    async with fresh_database.read() as session:
        sms, mail = await newest_messages(session)
    assert set(mail) == set(sms) == {"channel", "to", "subject", "text", "links", "code", "sentAt"}
    assert (mail["channel"], mail["to"], mail["links"], mail["code"]) == ("email", "ada@example.com", [_LINK], None)
    assert (sms["channel"], sms["to"], sms["links"], sms["subject"]) == ("sms", "+31612345678", [], None)
    assert isinstance(sms["code"], str)
    assert sms["code"] in str(sms["text"])
    assert str(sms["sentAt"]).endswith("Z")
    assert orjson.loads(orjson.dumps([sms, mail])) == [sms, mail]


async def test_the_inbox_shows_the_code_of_a_mail_as_of_a_text_message(fresh_database: Database) -> None:
    await _queue(fresh_database, message_texts.reauthentication_code("ada@example.com", "012345", timedelta(minutes=1)))
    await deliver(InboxMailer(fresh_database), await _payload(fresh_database), KEYS.mail)
    async with fresh_database.read() as session:
        [mail] = await newest_messages(session)
    assert mail["code"] == "012345"
    assert "012345" in str(mail["text"])


async def test_a_mail_queued_before_mails_had_codes_is_still_sent(fresh_database: Database) -> None:
    mailer, mail = RecordingMailer(), _mail()
    old = {name: value for name, value in asdict(mail).items() if name != "code"}
    await deliver(mailer, encrypt(orjson.dumps(old).decode(), KEYS.mail), KEYS.mail)
    assert mailer.mails == [mail]


async def test_a_mail_that_the_worker_sends_twice_shows_once(fresh_database: Database) -> None:
    mail = _mail()
    await InboxMailer(fresh_database).send(mail)
    await InboxMailer(fresh_database).send(mail)
    async with fresh_database.read() as session:
        assert len(await newest_messages(session)) == 1


async def test_a_code_of_the_inbox_is_good_once_for_its_number_and_purpose_for_ten_minutes(
    fresh_database: Database,
) -> None:
    sms_sender = InboxSmsSender(fresh_database, KEYS.codes)
    await sms_sender.send_code("+31612345678", "one")
    [code] = await texted_codes(fresh_database, "+31612345678")
    assert not await sms_sender.check_code("+31612345678", "another", code)
    assert not await sms_sender.check_code("+31612345679", "one", code)
    late = InboxSmsSender(at_later(fresh_database, timedelta(minutes=10)), KEYS.codes)
    assert not await late.check_code("+31612345678", "one", code)
    assert await sms_sender.check_code("+31612345678", "one", code)
    assert not await sms_sender.check_code("+31612345678", "one", code)


async def test_codes_are_kept_as_keyed_hashes(fresh_database: Database) -> None:
    await InboxSmsSender(fresh_database, KEYS.codes).send_code("+31612345678", "one")
    [code] = await texted_codes(fresh_database, "+31612345678")
    async with fresh_database.read() as session:
        row = (await session.execute(text("SELECT key, code_hash FROM sms_codes"))).one()
    assert len(row.code_hash) == 32
    assert code.encode() not in row.code_hash
    assert b"31612345678" not in row.key
