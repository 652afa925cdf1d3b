"""Mails by SMTP, against a server that encrypts, refuses, hangs and breaks off: nothing is lost, and no address is logged."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.jobs.job_consumer import consume
from app.messages import message_texts
from app.messages.mail import SEND_MAIL, Mail, MailDeferred, Mailer, MailRefused, deliver, queue_mail
from app.messages.smtp import SmtpMailer
from tests.support.accounts import KEYS, new_address
from tests.support.certificates import Certified, certified
from tests.support.client import eventually
from tests.support.smtp import Login, MailServer, mail_server

_LINK = "https://example.com/verify-email?token=abc123"
_SENDER = "Counterfoil <no-reply@example.org>"


def _mail(to: str = "ada@example.com") -> Mail:
    return message_texts.reset_password(to, _LINK, timedelta(hours=1))


def _mailer(server: MailServer, credentials: str = "", **more: Any) -> SmtpMailer:
    return replace(SmtpMailer.from_url(f"smtp://{credentials}127.0.0.1:{server.port}", _SENDER), **more)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A certificate for this machine, and a client that trusts it."""
    return certified(tmp_path_factory.mktemp("tls"))


async def test_a_mail_arrives_as_plain_text_and_html_under_the_same_id_each_time() -> None:
    mail = _mail()
    async with mail_server() as server:
        await _mailer(server).send(mail)
        await _mailer(server).send(mail)
    message, again = server.received
    assert (message["From"], message["To"], server.recipients[0]) == (_SENDER, "ada@example.com", "ada@example.com")
    assert message["Subject"] == mail.subject
    assert message["Message-ID"] == again["Message-ID"] == f"<{mail.id}@example.org>"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert message.get_content_type() == "multipart/alternative"
    assert plain is not None
    assert html is not None
    assert _LINK in plain.get_content()
    assert f'<a href="{_LINK}">' in html.get_content()


async def test_an_answer_goes_to_whom_the_mail_names_and_to_the_sender_where_it_names_nobody() -> None:
    async with mail_server() as server:
        await _mailer(server).send(_mail())
        await _mailer(server).send(message_texts.sales_request("sales@example.com", "acme", "ada@example.com", None))
    assert [message["Reply-To"] for message in server.received] == [None, "ada@example.com"]


@pytest.mark.parametrize("url", ["", "mail.example.com", "http://mail.example.com", "smtp://"])
def test_a_wrong_url_of_a_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://host"):
        SmtpMailer.from_url(url, "no-reply@example.org")


def test_the_url_of_a_mail_server_says_everything_about_it() -> None:
    mailer = SmtpMailer.from_url("smtps://ada%40example.com:p%2Fw@mail.example.com", "no-reply@example.org")
    assert (mailer.host, mailer.port, mailer.is_tls) == ("mail.example.com", 465, True)
    assert (mailer.username, mailer.password) == ("ada@example.com", "p/w")
    assert SmtpMailer.from_url("smtp://mail.example.com", "no-reply@example.org").port == 587


async def test_no_password_is_sent_to_a_server_without_encryption() -> None:
    async with mail_server() as server:
        with pytest.raises(MailDeferred):
            await _mailer(server, "ada:secret@").send(_mail())
    assert (server.logins, server.received) == ([], [])


async def test_a_password_is_sent_once_starttls_has_encrypted_the_connection(trust: Certified) -> None:
    async with mail_server(tls=trust.server) as server:
        await _mailer(server, "ada:secret@", tls=trust.client).send(_mail())
    assert server.logins == [Login("ada", "secret", is_encrypted=True)]
    assert len(server.received) == 1


async def test_smtps_encrypts_from_the_first_byte(trust: Certified) -> None:
    async with mail_server(tls=trust.server, is_encrypted=True) as server:
        await _mailer(server, "ada:secret@", is_tls=True, tls=trust.client).send(_mail())
    assert server.logins == [Login("ada", "secret", is_encrypted=True)]
    assert len(server.received) == 1


@pytest.mark.parametrize("is_tls", [False, True], ids=["starttls", "smtps"])
async def test_neither_password_nor_mail_is_given_to_a_server_whose_certificate_is_not_trusted(
    trust: Certified, is_tls: bool
) -> None:
    async with mail_server(tls=trust.server, is_encrypted=is_tls) as server:
        with pytest.raises(MailDeferred):
            await _mailer(server, "ada:secret@", is_tls=is_tls).send(_mail())
    assert (server.logins, server.received) == ([], [])


async def test_neither_is_given_to_a_server_with_a_certificate_for_another_address(tmp_path: Path) -> None:
    other = certified(tmp_path, "127.0.0.2")
    async with mail_server(tls=other.server) as server:
        with pytest.raises(MailDeferred):
            await _mailer(server, "ada:secret@", tls=other.client).send(_mail())
    assert (server.logins, server.received) == ([], [])


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("RCPT", "450 4.2.0 greylisted, come back later"),
        ("RCPT", "530 5.7.0 sign in first"),
        ("END", "451 4.3.0 try again"),
        ("MAIL", "553 5.1.8 this sender is none of ours"),
        ("GREETING", "421 4.3.2 too busy"),
    ],
)
async def test_failures_that_are_not_the_recipients_are_tried_again(command: str, answer: str) -> None:
    async with mail_server() as server:
        server.answers[command] = answer
        server.refusal = answer if command == "RCPT" else None
        with pytest.raises(MailDeferred) as raised:
            await _mailer(server).send(_mail("grace@example.com"))
    assert server.received == []
    assert "grace" not in repr(raised.value)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("RCPT", "550 5.1.1 <grace@example.com>: nobody has this mailbox"),
        ("DATA", "554 5.7.1 no mail for grace@example.com"),
        ("END", "552 5.3.4 too much for grace@example.com"),
    ],
)
async def test_what_the_recipients_server_refuses_for_good_is_final_and_named_by_its_code_alone(
    command: str, answer: str
) -> None:
    async with mail_server() as server:
        server.answers[command] = answer
        server.refusal = answer if command == "RCPT" else None
        with pytest.raises(MailRefused) as raised:
            await _mailer(server).send(_mail("grace@example.com"))
    assert server.received == []
    assert answer[:3] in str(raised.value)
    assert "grace" not in repr(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("command", ["GREETING", "EHLO", "RCPT", "DATA", "END"])
async def test_a_connection_that_breaks_off_is_tried_again(command: str) -> None:
    async with mail_server() as server:
        server.drops_at.add(command)
        with pytest.raises(MailDeferred):
            await _mailer(server).send(_mail())
        server.drops_at.clear()
        await _mailer(server).send(_mail())
    assert len(server.received) == (2 if command == "END" else 1)


@pytest.mark.parametrize("command", ["GREETING", "MAIL", "END"])
async def test_a_server_that_says_nothing_is_given_up_after_a_while(command: str) -> None:
    async with mail_server() as server:
        server.hangs_at.add(command)
        with pytest.raises(MailDeferred):
            await _mailer(server, timeout_seconds=0.2).send(_mail())


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    async with mail_server() as server:
        gone = _mailer(server)
    with pytest.raises(MailDeferred):
        await gone.send(_mail())


@pytest.mark.parametrize("evil", ["ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nBcc: eve@example.com"])
@pytest.mark.parametrize("header", ["to", "subject"])
async def test_no_header_can_be_smuggled_into_a_mail(header: str, evil: str) -> None:
    async with mail_server() as server:
        with pytest.raises(ValueError, match="linefeed"):
            await _mailer(server).send(replace(_mail(), **{header: evil}))
    assert (server.conversations, server.recipients) == (0, [])


async def test_a_line_that_is_a_dot_ends_no_mail() -> None:
    mail = replace(_mail(), text="one\n.\nRCPT TO:<eve@example.com>\n..two\n")
    async with mail_server() as server:
        await _mailer(server).send(mail)
    [message] = server.received
    plain = message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().splitlines() == ["one", ".", "RCPT TO:<eve@example.com>", "..two"]
    assert server.recipients == ["ada@example.com"]


class _Relay:
    """A `Mailer` that can be exchanged while it is used, as an operator does by a restart."""

    def __init__(self, by: Mailer) -> None:
        self.by = by

    async def send(self, mail: Mail) -> None:
        await self.by.send(mail)


@asynccontextmanager
async def _working(database: Database, mailer: Mailer) -> AsyncGenerator[None]:
    """The worker, sending mails of this database."""
    stopping = asyncio.Event()
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    async def send_mail(arguments: Mapping[str, str]) -> None:
        await deliver(mailer, arguments, KEYS.mail)

    working = asyncio.create_task(consume(url, {SEND_MAIL: send_mail}, stopping))
    try:
        yield
    finally:
        stopping.set()
        await working


async def _queue(database: Database, mail: Mail) -> None:
    async def work(session: Session) -> None:
        await session.execute(text("SELECT 1"))
        queue_mail(session, mail, KEYS.mail)

    await transact(database, work)


async def _waiting(database: Database) -> int:
    async with database.read() as session:
        return int((await session.execute(text("SELECT count(*) FROM pgqueuer"))).scalar_one())


def _logger(written: io.StringIO) -> Any:
    """A logger that writes everything it gets, tracebacks too."""
    processors = [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    return structlog.wrap_logger(structlog.PrintLogger(written), processors=processors)


async def _everything_the_queue_keeps(database: Database) -> str:
    async with database.read() as session:
        rows = [
            *await session.execute(text("SELECT * FROM pgqueuer")),
            *await session.execute(text("SELECT * FROM pgqueuer_log")),
        ]
    return repr(rows)


async def test_greylisting_delays_a_mail_and_loses_none(fresh_database: Database) -> None:
    async with mail_server() as server:
        server.refusal = "450 4.2.0 greylisted"
        await _queue(fresh_database, _mail())
        async with _working(fresh_database, _mailer(server)):

            async def was_refused() -> bool:
                return server.conversations > 0

            await eventually(was_refused)
            server.refusal = None

            async def has_arrived() -> bool:
                return bool(server.received)

            await eventually(has_arrived)
    assert len(server.received) == 1


async def test_credentials_may_be_changed_while_mails_wait(fresh_database: Database, trust: Certified) -> None:
    async with mail_server(tls=trust.server) as server:
        server.accounts = {"ada": "new"}
        relay = _Relay(_mailer(server, "ada:old@", tls=trust.client))
        await _queue(fresh_database, _mail())
        async with _working(fresh_database, relay):

            async def was_refused() -> bool:
                return bool(server.logins)

            await eventually(was_refused)
            relay.by = _mailer(server, "ada:new@", tls=trust.client)

            async def has_arrived() -> bool:
                return bool(server.received)

            await eventually(has_arrived)
    assert [login.password for login in server.logins][-1] == "new"
    assert len(server.received) == 1


async def test_a_refused_mail_is_tried_once_and_logged_without_the_address(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, written = new_address(), io.StringIO()
    monkeypatch.setattr("app.messages.mail._log", _logger(written))
    async with mail_server() as server:
        server.refusal = f"550 5.1.1 <{address}>: nobody has this mailbox"
        await _queue(fresh_database, _mail(address))
        async with _working(fresh_database, _mailer(server)):

            async def is_done() -> bool:
                return server.conversations > 0 and await _waiting(fresh_database) == 0

            await eventually(is_done)
    assert server.conversations == 1
    assert "mail.refused" in written.getvalue()
    assert "550" in written.getvalue()
    assert address not in written.getvalue() + await _everything_the_queue_keeps(fresh_database)


async def test_a_mail_that_is_tried_again_is_logged_without_the_address(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, written = new_address(), io.StringIO()
    monkeypatch.setattr("app.jobs.job_consumer._log", _logger(written))
    async with mail_server() as server:
        server.refusal = f"450 4.2.0 <{address}>: greylisted"
        await _queue(fresh_database, _mail(address))
        async with _working(fresh_database, _mailer(server)):

            async def was_logged() -> bool:
                return "MailDeferred" in written.getvalue()

            await eventually(was_logged)
        assert address not in written.getvalue() + await _everything_the_queue_keeps(fresh_database)
