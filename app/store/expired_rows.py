"""Deleting rows that have expired, by the wall's time, or by the product's for invitations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

from app.db.engine import Session
from app.db.tables.development_inbox import SmsCodeRow
from app.db.tables.people import ErasedIdentityRow, MailedLinkRow, ReauthenticationCodeRow, SessionRow, SignUpRow
from app.db.tables.security import RateLimitRow
from app.db.tables.workspaces import InvitationRow, PhoneCheckRow

_EXPIRING = (
    SignUpRow,
    MailedLinkRow,
    ReauthenticationCodeRow,
    PhoneCheckRow,
    SmsCodeRow,
    RateLimitRow,
    ErasedIdentityRow,
)


async def delete_expired(session: Session, *, at: datetime, sessions_unused_since: datetime) -> None:
    """Delete links, codes and limits that lapsed by `at`, sessions last used before `sessions_unused_since`, and invitations."""
    await session.execute(delete(InvitationRow).where(InvitationRow.expires_at <= session.now))
    for table in _EXPIRING:
        await session.execute(delete(table).where(table.expires_at <= at))
    await session.execute(delete(SessionRow).where(SessionRow.last_seen_at < sessions_unused_since))
