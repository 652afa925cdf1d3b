"""The development inbox: mails and text messages that were not really sent, and the codes in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased, Hashed, PrimaryId


class InboxMessageRow(Base):
    """A mail or text message as its reader would have seen it."""

    __tablename__ = "inbox_messages"
    erasure = Erased(address="recipient")
    __table_args__ = (CheckConstraint("channel IN ('email', 'sms')", name="channel"),)

    id: Mapped[PrimaryId]
    channel: Mapped[str]
    recipient: Mapped[str]
    subject: Mapped[str | None]
    text: Mapped[str]
    links: Mapped[list[str]] = mapped_column(ARRAY(Text))
    code: Mapped[str | None]
    sent_at: Mapped[datetime] = mapped_column(index=True)


class SmsCodeRow(Base):
    """The newest code that the inbox showed for a number and a purpose; a real provider keeps its own."""

    __tablename__ = "sms_codes"
    erasure = Hashed("a code on its way, for ten minutes")

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(index=True)
