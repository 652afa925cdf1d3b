"""Secrets that the provider handed out once, encrypted, and the clock of development."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.system import ClockOffsetRow, SystemSecretRow

_ONLY = 1


async def find(session: Session, name: str) -> SystemSecretRow | None:
    """The secret kept under a name."""
    return await session.get(SystemSecretRow, name)


async def save(session: Session, name: str, ciphertext: bytes, *, external_id: str) -> None:
    """Keep a secret under a name, in place of an older one; `external_id` is the provider's id of what it belongs to."""
    values = {"ciphertext": ciphertext, "external_id": external_id, "created_at": session.real_now}
    put = insert(SystemSecretRow).values(name=name, **values)
    await session.execute(put.on_conflict_do_update(index_elements=["name"], set_=values))


async def clock_offset(session: Session) -> timedelta:
    """How far development has moved the product's time forward."""
    row = await session.get(ClockOffsetRow, _ONLY)
    return row.ahead if row is not None else timedelta()


async def save_clock_offset(session: Session, ahead: timedelta) -> None:
    """Remember how far development has moved the product's time forward."""
    put = insert(ClockOffsetRow).values(id=_ONLY, ahead=ahead)
    await session.execute(put.on_conflict_do_update(index_elements=["id"], set_={"ahead": ahead}))
