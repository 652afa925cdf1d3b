"""The inbox of the provider's events, the cursor of polling, and the provider's ids of what the catalog was synced to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.tables.provider import EventCursorRow, ProviderEventRow, ProviderObjectRow

_ONLY = 1


async def receive(session: Session, event: ProviderEventRow) -> bool:
    """Put an event into the inbox; False when it was there already."""
    values = {
        "id": event.id,
        "type": event.type,
        "object_id": event.object_id,
        "customer_id": event.customer_id,
        "created_at": event.created_at,
        "received_at": event.received_at,
    }
    put = insert(ProviderEventRow).values(values).on_conflict_do_nothing(index_elements=["id"])
    return (await session.execute(put.returning(ProviderEventRow.id))).scalar_one_or_none() is not None


async def find(session: Session, event_id: str) -> ProviderEventRow | None:
    """The event, if it was received."""
    return await session.get(ProviderEventRow, event_id)


async def received(session: Session, event_ids: Sequence[str]) -> set[str]:
    """Those of the events that were received, acted on or not."""
    return set(await session.scalars(select(ProviderEventRow.id).where(ProviderEventRow.id.in_(event_ids))))


async def newest_at(session: Session) -> datetime | None:
    """When the newest of the received events happened; None before the first."""
    return await session.scalar(select(func.max(ProviderEventRow.created_at)))


async def processed(session: Session, event_ids: Sequence[str]) -> set[str]:
    """Those of the events that were received and acted on."""
    found = select(ProviderEventRow.id).where(
        ProviderEventRow.id.in_(event_ids), ProviderEventRow.processed_at.is_not(None)
    )
    return set(await session.scalars(found))


async def unprocessed(session: Session, *, since: datetime, until: datetime, limit: int) -> Sequence[str]:
    """The ids of events that were received in this time and not acted on, the oldest first."""
    found = select(ProviderEventRow.id).where(
        ProviderEventRow.processed_at.is_(None),
        ProviderEventRow.received_at >= since,
        ProviderEventRow.received_at < until,
    )
    return (await session.scalars(found.order_by(ProviderEventRow.received_at).limit(limit))).all()


async def mark_processed(session: Session, event_id: str) -> None:
    """Note that the event was acted on."""
    await session.execute(
        update(ProviderEventRow).where(ProviderEventRow.id == event_id).values(processed_at=session.real_now)
    )


async def cursor(session: Session) -> str | None:
    """The last event that polling saw."""
    row = await session.get(EventCursorRow, _ONLY)
    return row.event_id if row is not None else None


async def move_cursor(session: Session, event_id: str) -> None:
    """Note the last event that polling saw."""
    put = insert(EventCursorRow).values(id=_ONLY, event_id=event_id)
    await session.execute(put.on_conflict_do_update(index_elements=["id"], set_={"event_id": event_id}))


async def provider_ids(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """The provider's ids of products, prices, tax rates and portals, by our key; those not synced are left out."""
    found = select(ProviderObjectRow).where(ProviderObjectRow.key.in_(keys))
    return {row.key: row.provider_id for row in await session.scalars(found)}


async def keys_of(session: Session, provider_ids: Sequence[str]) -> dict[str, str]:
    """Our keys of the provider's products, prices, tax rates and portals with these ids; those that are not ours are left out."""
    found = select(ProviderObjectRow).where(ProviderObjectRow.provider_id.in_(provider_ids))
    return {row.provider_id: row.key for row in await session.scalars(found)} if provider_ids else {}


async def is_of_catalog(session: Session, provider_id: str) -> bool:
    """Whether the provider's product, price, tax rate or portal with this id is one that the catalog was synced to."""
    found = select(ProviderObjectRow.key).where(ProviderObjectRow.provider_id == provider_id).limit(1)
    return await session.scalar(found) is not None


async def save_provider_ids(session: Session, ids: Mapping[str, str]) -> None:
    """Remember the provider's ids of products, prices, tax rates and portals, by our key."""
    if not ids:
        return
    put = insert(ProviderObjectRow).values([{"key": key, "provider_id": value} for key, value in ids.items()])
    await session.execute(
        put.on_conflict_do_update(index_elements=["key"], set_={"provider_id": put.excluded.provider_id})
    )
