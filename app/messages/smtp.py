"""Sending mails by SMTP, and telling refusals for good from those that are tried again."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from app.messages.mail import Mail, MailDeferred, MailRefused

# errors about the recipient: the mailbox is refused, or this mail to it; all others are about us and our mail server
_OF_THE_RECIPIENT = (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError)
_FIRST_PERMANENT_CODE = 500
# may be the answer to a recipient, but means that we must authenticate first
_SIGN_IN_FIRST = 530
_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, repr=False)
class SmtpMailer:
    """A `Mailer` that sends mails through a mail server.

    `sender` is the From line. `is_tls` encrypts from the first byte; otherwise STARTTLS is used if the server offers it, and
    required before a password is sent. `tls` says which certificates are trusted; None means those of the usual authorities.
    """

    sender: str
    host: str
    port: int
    is_tls: bool = False
    username: str | None = None
    password: str | None = None
    timeout_seconds: float = 20.0
    tls: ssl.SSLContext | None = None

    @classmethod
    def from_url(cls, url: str, sender: str) -> SmtpMailer:
        """For `smtp://user:password@host:587` or `smtps://…`; raises `ValueError`, which doesn't repeat it, for any other URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        # anything after the host is the rest of a password that holds a / or # which is not percent-encoded
        is_whole = parts.path in {"", "/"} and not parts.query and not parts.fragment
        if parts.scheme not in _PORTS or not parts.hostname or not is_whole or " " in url or not url.isprintable():
            raise ValueError(
                "a mail server is given as smtp://host or smtps://host, with user:password@ before the host where it asks for "
                "them, and signs such as / and # in these percent-encoded"
            )
        return cls(
            sender=sender,
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "smtps",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    async def send(self, mail: Mail) -> None:
        """Give the mail to the server; raises `MailRefused` when the recipient's side refuses it for good, else `MailDeferred`."""
        message = self._message(mail)
        try:
            await aiosmtplib.send(
                message,
                hostname=self.host,
                port=self.port,
                use_tls=self.is_tls,
                start_tls=self._start_tls(),
                username=self.username,
                password=self.password,
                timeout=self.timeout_seconds,
                tls_context=self.tls,
            )
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            # each mail has one recipient
            raise _failure(refusal.recipients[0]) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _failure(error) from None

    def _start_tls(self) -> bool | None:
        """Whether aiosmtplib uses STARTTLS: True requires it, None uses it if offered."""
        if self.is_tls:
            return False
        return True if self.username else None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        if mail.reply_to is not None:
            message["Reply-To"] = mail.reply_to
        message["Date"] = formatdate()
        # the same id on each try: mail programs show a mail once that was sent twice
        message["Message-ID"] = f"<{mail.id}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message


def _failure(error: Exception) -> MailDeferred | MailRefused:
    """The error to raise, with the failure's type and the server's code as its only message."""
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return MailDeferred(type(error).__name__)
    reason = f"{type(error).__name__} {error.code}"
    is_permanent = error.code >= _FIRST_PERMANENT_CODE and error.code != _SIGN_IN_FIRST
    is_final = is_permanent and isinstance(error, _OF_THE_RECIPIENT)
    return MailRefused(reason) if is_final else MailDeferred(reason)
