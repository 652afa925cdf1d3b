"""Links and codes on their way to users by mail. Times are the wall's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.people import MailedLinkRow, ReauthenticationCodeRow


async def add(session: Session, row: MailedLinkRow) -> None:
    """Keep a link until it is followed or has lapsed."""
    session.add(row)
    await session.flush()


async def take_verification(session: Session, token_hash: bytes, *, at: datetime) -> MailedLinkRow | None:
    """Take the link to verify an address that is followed at `at`, so that nobody can take it again; None when it is none."""
    return await _take(session, token_hash, at=at, verifies=True)


async def take_reset(session: Session, token_hash: bytes, *, at: datetime) -> MailedLinkRow | None:
    """Take the link to reset a password that is followed at `at`, so that nobody can take it again; None when it is none."""
    return await _take(session, token_hash, at=at, verifies=False)


async def is_reset(session: Session, token_hash: bytes, *, at: datetime) -> bool:
    """Whether this is a link to reset a password that is good at `at`."""
    found = select(MailedLinkRow.user_id).where(
        MailedLinkRow.token_hash == token_hash, MailedLinkRow.expires_at > at, MailedLinkRow.email_id.is_(None)
    )
    return await session.scalar(found) is not None


async def forget_resets(session: Session, user_id: UUID) -> None:
    """Make every link to reset this user's password useless."""
    resets = (MailedLinkRow.user_id == user_id) & MailedLinkRow.email_id.is_(None)
    await session.execute(delete(MailedLinkRow).where(resets))


async def forget_verifications(session: Session, email_ids: Collection[UUID]) -> None:
    """Make every link to verify one of these addresses useless."""
    await session.execute(delete(MailedLinkRow).where(MailedLinkRow.email_id.in_(email_ids)))


async def save_code(session: Session, user_id: UUID, code_hash: bytes, *, expires_at: datetime) -> None:
    """Keep the hash of a code, instead of the one before; it may be tried from the start."""
    values = {"code_hash": code_hash, "tries": 0, "expires_at": expires_at}
    fresh = insert(ReauthenticationCodeRow).values(user_id=user_id, **values)
    await session.execute(fresh.on_conflict_do_update(index_elements=[ReauthenticationCodeRow.user_id], set_=values))


async def try_code(session: Session, user_id: UUID, *, at: datetime, at_most: int) -> bytes | None:
    """Count a try of the user's code and return its hash; None when there is none at `at`, or it was tried `at_most` times."""
    tried = (
        update(ReauthenticationCodeRow)
        .where(
            ReauthenticationCodeRow.user_id == user_id,
            ReauthenticationCodeRow.expires_at > at,
            ReauthenticationCodeRow.tries < at_most,
        )
        .values(tries=ReauthenticationCodeRow.tries + 1)
        .returning(ReauthenticationCodeRow.code_hash)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(tried)).one_or_none()


async def _take(session: Session, token_hash: bytes, *, at: datetime, verifies: bool) -> MailedLinkRow | None:
    kind = MailedLinkRow.email_id.is_not(None) if verifies else MailedLinkRow.email_id.is_(None)
    taken = (
        delete(MailedLinkRow)
        .where(MailedLinkRow.token_hash == token_hash, MailedLinkRow.expires_at > at, kind)
        .returning(MailedLinkRow)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(taken)).one_or_none()
