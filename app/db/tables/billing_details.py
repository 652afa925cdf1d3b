"""What workspaces say about whom to bill, their tax ids, and the import of customers that were there before."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Erased


class BillingDetailsRow(Base):
    """Whom a workspace's invoices are made out to, as its owners said here or, for the address, at the provider.

    `name` and `email` take the place of the workspace's name and an owner's address. With `address_due` the address was written
    here and is not at the provider yet; otherwise the provider's is what counts. `exemption` is what the provider was last seen to
    have, one of `TaxExemption`; with `reverse_sent` a reverse charge there may be ours, otherwise somebody set it by hand.
    `revision` rises with each change that is made here, `changed_at` is when anything last changed.
    """

    __tablename__ = "billing_details"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    email: Mapped[str | None]
    line1: Mapped[str | None]
    line2: Mapped[str | None]
    city: Mapped[str | None]
    state: Mapped[str | None]
    postal_code: Mapped[str | None]
    country: Mapped[str | None]
    address_due: Mapped[bool] = mapped_column(default=False)
    exemption: Mapped[str] = mapped_column(default="NONE")
    reverse_sent: Mapped[bool] = mapped_column(default=False)
    revision: Mapped[int] = mapped_column(default=0)
    changed_at: Mapped[datetime]


class TaxIdRow(Base):
    """A tax id of a workspace. Without `provider_id` it is to be made at the provider; with `is_removed`, to be deleted there.

    `kind` and `country` are the provider's words, `status` is one of `TaxIdStatus`.
    """

    __tablename__ = "tax_ids"
    erasure = Erased(workspace="workspace_id")

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    value: Mapped[str]
    country: Mapped[str | None]
    status: Mapped[str]
    provider_id: Mapped[str | None] = mapped_column(unique=True)
    is_removed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class CustomerImportRow(Base):
    """The import of a customer that had a history at the provider before it became a workspace's.

    `stage` is what comes next; within it, `cursor` is the last object of the provider's list that was stored. `invoices` counts
    those that were read. From `next_check_at` on (the wall's time) the worker goes on; None once it is done.
    `foreign_subscriptions` are live subscriptions, by the provider's ids, that bill nothing of this catalog.
    """

    __tablename__ = "customer_imports"
    erasure = Erased(workspace="workspace_id")
    __table_args__ = (
        CheckConstraint("(stage = 'DONE') = (next_check_at IS NULL)", name="goes_on_until_done"),
        Index(
            "customer_imports_next_check_at_idx", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[str]
    stage: Mapped[str]
    cursor: Mapped[str | None]
    invoices: Mapped[int] = mapped_column(default=0)
    foreign_subscriptions: Mapped[str] = mapped_column(default="")
    next_check_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
