"""The development inbox: stores mails and text messages in place of sending them, and lists them for `/dev/inbox`."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

from app.db.engine import Database, Session
from app.db.tables.development_inbox import InboxMessageRow
from app.db.unit_of_work import transact
from app.ids import uuid7
from app.messages import message_texts
from app.messages.mail import Mail
from app.messages.sms_codes import CODE_DIGITS, CODE_LIFETIME
from app.store import development_inbox as development_inbox_store

_MOST_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class InboxMailer:
    """A `Mailer` that puts mails into the inbox."""

    database: Database

    async def send(self, mail: Mail) -> None:
        """Put the mail into the inbox, once."""

        async def put(session: Session) -> None:
            row = InboxMessageRow(
                id=UUID(mail.id),
                channel="email",
                recipient=mail.to,
                subject=mail.subject,
                text=mail.text,
                links=list(mail.links),
                code=mail.code,
                sent_at=session.now,
            )
            await development_inbox_store.add(session, row)

        await transact(self.database, put, step="inbox")


@dataclass(frozen=True, slots=True, repr=False)
class InboxSmsSender:
    """A `SmsSender` that puts its codes into the inbox, and stores hashes of them, made with `key`, to check them."""

    database: Database
    key: bytes

    async def send_code(self, number: str, purpose: str) -> None:
        """Put a new code into the inbox."""
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"

        async def put(session: Session) -> None:
            expires_at = session.real_now + CODE_LIFETIME
            await development_inbox_store.save_code(
                session, self._hash(number, purpose), self._hash(number, purpose, code), expires_at=expires_at
            )
            row = InboxMessageRow(
                id=uuid7(),
                channel="sms",
                recipient=number,
                subject=None,
                text=message_texts.phone_code(code),
                links=[],
                code=code,
                sent_at=session.now,
            )
            await development_inbox_store.add(session, row)

        await transact(self.database, put, step="inbox")

    async def check_code(self, number: str, purpose: str, code: str) -> bool:
        """Whether this is the last code for the number and purpose; a right one can't be used again."""

        async def use(session: Session) -> bool:
            code_hash = self._hash(number, purpose, code)
            return await development_inbox_store.use_code(
                session, self._hash(number, purpose), code_hash, at=session.real_now
            )

        return await transact(self.database, use, step="inbox")

    async def drop_code(self, number: str, purpose: str) -> None:
        """Delete the last code for the number and purpose."""

        async def drop(session: Session) -> None:
            await development_inbox_store.drop_code(session, self._hash(number, purpose))

        await transact(self.database, drop, step="inbox")

    def _hash(self, *parts: str) -> bytes:
        return hmac.digest(self.key, "\0".join(parts).encode(), "sha256")


async def newest_messages(session: Session) -> list[dict[str, object]]:
    """The latest messages, newest first, as objects ready for JSON."""
    return [
        {
            "channel": row.channel,
            "to": row.recipient,
            "subject": row.subject,
            "text": row.text,
            "links": row.links,
            "code": row.code,
            "sentAt": row.sent_at.isoformat().replace("+00:00", "Z"),
        }
        for row in await development_inbox_store.newest(session, at_most=_MOST_SHOWN)
    ]
