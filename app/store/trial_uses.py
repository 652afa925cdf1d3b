"""Who has had a free trial, by keyed hashes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.trials import TrialUseRow


async def is_any_known(session: Session, hashes: Collection[bytes]) -> bool:
    """Whether any of these identities has had a trial, as far as that is remembered."""
    query = select(TrialUseRow.identity_hash).where(
        TrialUseRow.identity_hash.in_(hashes), TrialUseRow.kept_until > session.now
    )
    return await session.scalar(query.limit(1)) is not None


async def remember(session: Session, hashes: Collection[bytes], *, until: datetime) -> bool:
    """Remember identities until a time; whether all of them are new.

    Waits for a transaction that is just remembering one of them.
    """
    lapsed = delete(TrialUseRow).where(TrialUseRow.identity_hash.in_(hashes), TrialUseRow.kept_until <= session.now)
    await session.execute(lapsed.execution_options(synchronize_session=False))
    # in one order, so that two who share some wait for one another
    put = insert(TrialUseRow).values([{"identity_hash": each, "kept_until": until} for each in sorted(hashes)])
    made = await session.scalars(put.on_conflict_do_nothing().returning(TrialUseRow.identity_hash))
    known = set(hashes) - set(made)
    if known:
        again = update(TrialUseRow).where(TrialUseRow.identity_hash.in_(known)).values(kept_until=until)
        await session.execute(again.execution_options(synchronize_session=False))
    return not known


async def forget(session: Session, hashes: Collection[bytes]) -> None:
    """Forget identities, as those that are remembered by another hash from now on."""
    if hashes:
        gone = delete(TrialUseRow).where(TrialUseRow.identity_hash.in_(hashes))
        await session.execute(gone.execution_options(synchronize_session=False))


async def forget_lapsed(session: Session) -> None:
    """Forget those that were remembered for long enough."""
    await session.execute(delete(TrialUseRow).where(TrialUseRow.kept_until <= session.now))
