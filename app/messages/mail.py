"""Queueing mails in the transaction that causes them, encrypted, and sending them in the worker, outside any transaction."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog
from cryptography.fernet import Fernet
from pydantic import TypeAdapter

from app.db.engine import Session

SEND_MAIL = "send_mail"

_ENCRYPTED, _ABOUT = "sealed", "about"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one address.

    `id` stays the same when the worker tries again. `links` are the links with a token in the text, `code` is the code in it, if
    any: the development inbox shows them separately. `reply_to` is whom an answer goes to, the sender if None.
    """

    id: str
    to: str
    subject: str
    text: str
    html: str
    links: tuple[str, ...] = ()
    code: str | None = None
    reply_to: str | None = None


_AS_JSON = TypeAdapter(Mail)


class MailDeferred(Exception):
    """The mail could not be sent now; the worker tries again.

    Like `MailRefused` it is logged, so neither holds an address, nor the server's message, which may repeat the address.
    """


class MailRefused(Exception):
    """The recipient's mail server refuses this mail for good: the mailbox does not exist, or the mail is unwanted."""


class Mailer(Protocol):
    """Sends mails."""

    async def send(self, mail: Mail) -> None:
        """Send the mail; raises `MailRefused` when another try is useless, and any other exception when it is to be tried again."""
        ...


def queue_mail(session: Session, mail: Mail, key: bytes, *, about: UUID | None = None) -> None:
    """Have the worker send the mail, if this unit of work is committed. To be called after the session's first statement.

    The queued mail is encrypted with `key`, since it names a person and may hold a token. `about` is the user whose account the
    mail is about: if the account is deleted first, the mail is not sent, whatever its address.
    """
    subject_user = {_ABOUT: str(about)} if about is not None else {}
    session.outbox.enqueue(SEND_MAIL, encrypt(_AS_JSON.dump_json(mail).decode(), key) | subject_user)


def is_about(payload: Mapping[str, str], user_id: UUID) -> bool:
    """Whether a queued payload is of a mail about this user's account."""
    return payload.get(_ABOUT) == str(user_id)


async def deliver(mailer: Mailer, payload: Mapping[str, str], key: bytes) -> None:
    """The job `send_mail`: send the mail of a queued payload. One that is refused for good is logged, and not tried again."""
    mail = queued_mail(payload, key)
    try:
        await mailer.send(mail)
    except MailRefused as refusal:
        _log.warning("mail.refused", mail=mail.id, reason=str(refusal))


def queued_mail(payload: Mapping[str, str], key: bytes) -> Mail:
    """The mail of a queued payload."""
    return _AS_JSON.validate_json(decrypt(payload, key))


def encrypt(text: str, key: bytes) -> dict[str, str]:
    """Arguments for a job that hold `text` encrypted, since it names a person."""
    return {_ENCRYPTED: _cipher(key).encrypt(text.encode()).decode()}


def decrypt(arguments: Mapping[str, str], key: bytes) -> str:
    """The text in arguments that `encrypt` made."""
    return _cipher(key).decrypt(arguments[_ENCRYPTED]).decode()


def _cipher(key: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key))
