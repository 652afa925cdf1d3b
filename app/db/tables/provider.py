"""What is kept of the payment provider: the inbox of its events, the cursor of polling, the ids of its objects."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Kept


class ProviderEventRow(Base):
    """The inbox: each event of the provider once, whatever number of times it is delivered."""

    __tablename__ = "provider_events"
    erasure = Kept("an event counts once: ids and types")
    __table_args__ = (
        Index("provider_events_unprocessed_idx", "received_at", postgresql_where=text("processed_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    object_id: Mapped[str]
    customer_id: Mapped[str | None]
    created_at: Mapped[datetime]
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]


class EventCursorRow(Base):
    """The last event seen by polling, where no webhook can reach this service; one row at most."""

    __tablename__ = "provider_event_cursor"
    erasure = Kept("how far events were read")

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[str]


class ProviderObjectRow(Base):
    """The provider's ids of what the catalog was synced to: prices by lookup key, tax rates, products and portals by key."""

    __tablename__ = "provider_objects"
    erasure = Kept("the catalog at the provider")

    key: Mapped[str] = mapped_column(primary_key=True)
    provider_id: Mapped[str]


class PlanTermsRow(Base):
    """Terms on which a plan is or was sold: written when the catalog is synced, and never changed in what binds a customer.

    `terms` is the plan as `app.catalog.terms_of` writes it down. Its texts follow the catalog as long as these terms are sold.
    `workspace_id` is the one workspace that an operator made them for, None for what was sold to everybody.
    """

    __tablename__ = "plan_terms"
    erasure = Kept("what was sold, for those who bought it; nobody is named")
    __table_args__ = (
        Index("plan_terms_workspace_id_idx", "workspace_id", postgresql_where=text("workspace_id IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    plan_code: Mapped[str]
    catalog_code: Mapped[str]
    prices_include_tax: Mapped[bool]
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    workspace_id: Mapped[UUID | None]
    created_at: Mapped[datetime]
