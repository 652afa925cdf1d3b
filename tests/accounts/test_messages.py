"""Mails and text messages: queued with the work, encrypted while they wait, carried by SMTP or shown in the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import aiosmtplib
import orjson
import pytest
from cryptography.fernet import InvalidToken
from sqlalchemy import text

from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.messages import texts
from app.messages.inbox import InboxMailer, InboxTexter, newest_messages
from app.messages.mail import Mail, deliver, queue_mail
from app.messages.smtp import SmtpMailer
from tests.support.accounts import KEYS, Pile, at_later, queued_mails, texted_codes
from tests.support.smtp import mail_server

_LINK = "https://example.com/verify-email?token=abc123"


def _mail(to: str = "ada@example.com") -> Mail:
    return texts.confirm_address(to, _LINK)


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
    pile = Pile()
    with pytest.raises(InvalidToken):
        await deliver(pile, await _payload(fresh_database), KEYS.codes)
    assert pile.mails == []


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
    await InboxTexter(fresh_database, KEYS.codes).send_code("+31612345678", "a test")
    async with fresh_database.read() as session:
        sms, mail = await newest_messages(session)
    assert set(mail) == set(sms) == {"channel", "to", "subject", "text", "links", "code", "sentAt"}
    assert (mail["channel"], mail["to"], mail["links"], mail["code"]) == ("email", "ada@example.com", [_LINK], None)
    assert (sms["channel"], sms["to"], sms["links"], sms["subject"]) == ("sms", "+31612345678", [], None)
    assert isinstance(sms["code"], str)
    assert sms["code"] in str(sms["text"])
    assert str(sms["sentAt"]).endswith("Z")
    assert orjson.loads(orjson.dumps([sms, mail])) == [sms, mail]


async def test_a_mail_that_the_worker_sends_twice_shows_once(fresh_database: Database) -> None:
    mail = _mail()
    await InboxMailer(fresh_database).send(mail)
    await InboxMailer(fresh_database).send(mail)
    async with fresh_database.read() as session:
        assert len(await newest_messages(session)) == 1


async def test_a_code_of_the_inbox_is_good_once_for_its_number_and_purpose_for_ten_minutes(
    fresh_database: Database,
) -> None:
    texter = InboxTexter(fresh_database, KEYS.codes)
    await texter.send_code("+31612345678", "one")
    [code] = await texted_codes(fresh_database, "+31612345678")
    assert not await texter.check_code("+31612345678", "another", code)
    assert not await texter.check_code("+31612345679", "one", code)
    late = InboxTexter(at_later(fresh_database, timedelta(minutes=10)), KEYS.codes)
    assert not await late.check_code("+31612345678", "one", code)
    assert await texter.check_code("+31612345678", "one", code)
    assert not await texter.check_code("+31612345678", "one", code)


async def test_codes_are_kept_as_keyed_hashes(fresh_database: Database) -> None:
    await InboxTexter(fresh_database, KEYS.codes).send_code("+31612345678", "one")
    [code] = await texted_codes(fresh_database, "+31612345678")
    async with fresh_database.read() as session:
        row = (await session.execute(text("SELECT key, code_hash FROM sms_codes"))).one()
    assert len(row.code_hash) == 32
    assert code.encode() not in row.code_hash
    assert b"31612345678" not in row.key


async def test_smtp_carries_a_mail_as_plain_text_and_html() -> None:
    mail = _mail()
    async with mail_server() as server:
        mailer = SmtpMailer.from_url(f"smtp://127.0.0.1:{server.port}", "Counterfoil <no-reply@example.org>")
        await mailer.send(mail)
        await mailer.send(mail)
    message, again = server.received
    assert (message["From"], message["To"]) == ("Counterfoil <no-reply@example.org>", "ada@example.com")
    assert message["Subject"] == mail.subject
    assert message["Message-ID"] == again["Message-ID"] == f"<{mail.id}@example.org>"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert _LINK in plain.get_content()
    assert f'<a href="{_LINK}">' in html.get_content()


async def test_a_mail_that_the_server_refuses_is_an_error_for_the_worker_to_try_again() -> None:
    async with mail_server() as server:
        server.refusal = "450 mailbox busy"
        with pytest.raises(aiosmtplib.SMTPException):
            await SmtpMailer.from_url(f"smtp://127.0.0.1:{server.port}", "no-reply@example.org").send(_mail())
    assert server.received == []


async def test_no_password_is_sent_to_a_server_without_encryption() -> None:
    async with mail_server() as server:
        mailer = SmtpMailer.from_url(f"smtp://ada:secret@127.0.0.1:{server.port}", "no-reply@example.org")
        with pytest.raises(aiosmtplib.SMTPException):
            await mailer.send(_mail())
    assert (server.logins, server.received) == ([], [])


@pytest.mark.parametrize("url", ["", "mail.example.com", "http://mail.example.com", "smtp://"])
def test_a_wrong_url_of_a_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://host"):
        SmtpMailer.from_url(url, "no-reply@example.org")


def test_the_url_of_a_mail_server_says_everything_about_it() -> None:
    mailer = SmtpMailer.from_url("smtps://ada%40example.com:p%2Fw@mail.example.com", "no-reply@example.org")
    assert (mailer.host, mailer.port, mailer.is_tls) == ("mail.example.com", 465, True)
    assert (mailer.username, mailer.password) == ("ada@example.com", "p/w")
    assert SmtpMailer.from_url("smtp://mail.example.com", "no-reply@example.org").port == 587


def test_html_mails_escape_what_they_are_given() -> None:
    mail = texts.confirm_address("ada@example.com", 'https://example.com/?a=1&b="><script>')
    assert "<script>" not in mail.html
