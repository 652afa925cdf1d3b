"""A user's avatar: uploading, replacing and removing it, and erasing images that are no user's avatar any more (leftovers)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import BinaryIO, Final
from uuid import UUID

from app.accounts.access.callers import Caller, require_user
from app.accounts.avatars.image_formats import PictureDamaged
from app.accounts.avatars.stored_images import AvatarImages, new_digest
from app.accounts.security.rate_limits import Limit, RateLimits, count_attempt, uncount_attempt
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.errors import DomainError, Unauthenticated, Unavailable
from app.store import avatars as avatar_store

UPLOADS_PER_USER: Final = Limit("avatars-per-user", 20, 3600)

# much longer than a request can last: by then the upload has failed
_ABANDONED_AFTER: Final = timedelta(hours=1)
_AGAIN_AFTER: Final = timedelta(seconds=30)
_MOST_DOUBLINGS: Final = 11


async def upload_avatar(
    database: Database, images: AvatarImages, limits: RateLimits, caller: Caller, file: BinaryIO
) -> None:
    """Make the picture in `file` the caller's avatar, in place of an earlier one.

    For people. Raises `FileTooLarge`, `TooManyPixels`, `NotAPicture`, `PictureDamaged`, `RateLimited`, `StorageUnavailable`, and
    what `require_user` raises; then the earlier avatar stays.
    """
    user = require_user(caller)
    attempt = await count_attempt(database, limits, (UPLOADS_PER_USER, str(user.user_id)))
    try:
        master = await images.make_master(file)
    except DomainError as refusal:
        if not isinstance(refusal, PictureDamaged):
            # told by its first bytes; what had to be decoded to be refused counts, since decoding is what costs
            await uncount_attempt(database, attempt)
        refusal.path = ("input", "file")
        raise
    digest = new_digest()

    async def announce(session: Session) -> None:
        # written before the image is stored: if the process dies between, the worker knows what to erase
        await avatar_store.add_leftover(session, digest, due_at=session.now + _ABANDONED_AFTER)

    async def show(session: Session) -> None:
        if not await avatar_store.take_leftover(session, digest):
            raise Unavailable("The upload took too long; try again.")
        await _replace(session, user.user_id, digest)

    await transact(database, announce, step="avatar.announce")
    await images.keep(digest, master)
    database.fault("avatar.kept")
    await transact(database, show, step="avatar.show")


async def remove_avatar(database: Database, caller: Caller) -> None:
    """Remove the caller's avatar, if there is one. For people; raises what `require_user` raises."""
    user = require_user(caller)
    await transact(database, lambda session: _replace(session, user.user_id, None), step="avatar.remove")


async def discard_avatar(session: Session, user_id: UUID) -> None:
    """Have every image of a user's avatar erased after this unit of work is committed: for the one that deletes the account.

    Locks the user's row: an upload at the same time either comes first and is erased too, or finds no user.
    """
    shown = await avatar_store.lock_shown(session, user_id)
    if shown is not None and shown.digest is not None:
        await avatar_store.set_shown(session, user_id, None)
        await avatar_store.add_leftover(session, shown.digest, due_at=session.now)


async def _replace(session: Session, user_id: UUID, digest: str | None) -> None:
    shown = await avatar_store.lock_shown(session, user_id)
    if shown is None:
        raise Unauthenticated
    if shown.digest is not None:
        await avatar_store.add_leftover(session, shown.digest, due_at=session.now)
    if shown.digest != digest:
        await avatar_store.set_shown(session, user_id, digest)


async def next_leftover_at(session: Session) -> datetime | None:
    """When the next leftover is to be erased; None when there are none."""
    return await avatar_store.next_due_at(session)


async def erase_leftovers(database: Database, images: AvatarImages, *, limit: int) -> int:
    """Erase at most `limit` of the leftovers that are due; returns how many avatars were erased.

    Stops at the first failure, of any kind: that avatar is tried again later, without a last try.
    """
    async with database.read() as session:
        due = await avatar_store.due(session, limit=limit)
    return sum([await _erase(database, images, digest) for digest in due])


async def _erase(database: Database, images: AvatarImages, digest: str) -> bool:
    async def claim(session: Session) -> bool:
        # counting the try also keeps the upload of this image from making it an avatar
        tries = await avatar_store.lock_due(session, digest)
        if tries is None:
            return False
        again_at = session.now + _AGAIN_AFTER * 2 ** min(tries, _MOST_DOUBLINGS)
        await avatar_store.count_try(session, digest, again_at=again_at)
        return True

    if not await transact(database, claim, step="avatar.claim"):
        return False
    await images.erase(digest)
    database.fault("avatar.erased")
    await transact(database, lambda session: avatar_store.drop_leftover(session, digest), step="avatar.forget")
    return True
