"""Mails: queued with the work that causes them, encrypted while they wait, sent by the worker outside any transaction."""

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

_SEALED, _ABOUT = "sealed", "about"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one address.

    `id` stays the same however often the worker tries; `links` are those of the text that carry a token, `code` is the code
    in it, if any: the inbox of development shows both by themselves.
    """

    id: str
    to: str
    subject: str
    text: str
    html: str
    links: tuple[str, ...] = ()
    code: str | None = None


_AS_JSON = TypeAdapter(Mail)


class MailNotTaken(Exception):
    """The mail could not be handed over, which is worth another try.

    Neither this nor `MailRefused` holds an address or the server's words, which may repeat it: both are logged.
    """


class MailRefused(Exception):
    """The recipient's mail server does not take this mail, and never will: nobody has that mailbox, or it wants no such mail."""


class Mailer(Protocol):
    """Carries mails."""

    async def send(self, mail: Mail) -> None:
        """Hand the mail over; raises `MailRefused` when it is hopeless, and anything else when that is worth another try."""
        ...


def queue_mail(session: Session, mail: Mail, key: bytes, *, about: UUID | None = None) -> None:
    """Have the worker send the mail once this unit is committed, and never if it is not; after the session's first statement.

    What waits in the queue is encrypted with `key`, since it names a person and may carry a token. `about` is the user whose
    account it is about: deleted before the mail is sent, it takes the mail along, wherever that goes.
    """
    told = {_ABOUT: str(about)} if about is not None else {}
    session.outbox.enqueue(SEND_MAIL, encrypt(_AS_JSON.dump_json(mail).decode(), key) | told)


def is_about(payload: Mapping[str, str], user_id: UUID) -> bool:
    """Whether a queued payload is of a mail about this user's account."""
    return payload.get(_ABOUT) == str(user_id)


async def deliver(mailer: Mailer, payload: Mapping[str, str], key: bytes) -> None:
    """What the job `send_mail` does: send the mail of a queued payload. One that is refused for good is logged and let go."""
    mail = queued_mail(payload, key)
    try:
        await mailer.send(mail)
    except MailRefused as refusal:
        _log.warning("mail.refused", mail=mail.id, reason=str(refusal))


def queued_mail(payload: Mapping[str, str], key: bytes) -> Mail:
    """The mail of a queued payload."""
    return _AS_JSON.validate_json(decrypt(payload, key))


def encrypt(text: str, key: bytes) -> dict[str, str]:
    """Arguments for a job that hold `text`, which names a person, encrypted while they wait."""
    return {_SEALED: _cipher(key).encrypt(text.encode()).decode()}


def decrypt(arguments: Mapping[str, str], key: bytes) -> str:
    """The text of arguments that `encrypt` made."""
    return _cipher(key).decrypt(arguments[_SEALED]).decode()


def _cipher(key: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key))
