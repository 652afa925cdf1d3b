"""Mails by SMTP."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from app.messages.mail import Mail

_TIMEOUT_SECONDS = 20.0
_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, repr=False)
class SmtpMailer:
    """A `Mailer` that hands mails to a mail server.

    `sender` is the From line. `is_tls` encrypts from the first byte; otherwise STARTTLS is used where offered, and insisted on
    before a password is sent.
    """

    sender: str
    host: str
    port: int
    is_tls: bool = False
    username: str | None = None
    password: str | None = None

    @classmethod
    def from_url(cls, url: str, sender: str) -> SmtpMailer:
        """For `smtp://user:password@host:587` or `smtps://…`; raises `ValueError` saying what is wrong with the URL."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(
                "the mail server is given as smtp://host or smtps://host, with user:password@ where it asks for them"
            )
        return cls(
            sender=sender,
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "smtps",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    async def send(self, mail: Mail) -> None:
        """Hand the mail to the server; raises `aiosmtplib.SMTPException` when it is not taken."""
        await aiosmtplib.send(
            self._message(mail),
            hostname=self.host,
            port=self.port,
            use_tls=self.is_tls,
            start_tls=self._start_tls(),
            username=self.username,
            password=self.password,
            timeout=_TIMEOUT_SECONDS,
        )

    def _start_tls(self) -> bool | None:
        """True insists, None takes it where offered."""
        if self.is_tls:
            return False
        return True if self.username else None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = formatdate()
        # the same id on each try, so that a mail sent twice shows once
        message["Message-ID"] = f"<{mail.id}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message
