"""What one operation loads in batches, so that a page of history costs a fixed number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from uuid import UUID

from strawberry.dataloader import DataLoader

from app.accounts.people import public_profiles
from app.accounts.people.users import User
from app.db.engine import Database
from app.db.tables.payments import InvoiceRow
from app.db.tables.purchases import CreditPurchaseRow
from app.ledger import ledger_reads
from app.ledger.movements import HoldState
from app.store import audit_log as audit_log_store
from app.store import invoices as invoice_store
from app.store import purchases as purchase_store

Owned = tuple[UUID, UUID]
"""The (workspace, id) of something that belongs to a workspace."""


class Loaders:
    """Fresh for each operation and for each event of a live update."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # each made when it is asked for: a socket that watches one thing would hold all of them for nothing

    @cached_property
    def purchases(self) -> DataLoader[Owned, CreditPurchaseRow | None]:
        """Purchases by workspace and id."""
        return DataLoader(self._purchases)

    async def _purchases(self, keys: list[Owned]) -> Sequence[CreditPurchaseRow | None]:
        async with self._database.read() as session:
            found = await purchase_store.find_many(session, keys)
        return [found.get(key) for key in keys]

    @cached_property
    def invoices_of_purchases(self) -> DataLoader[Owned, InvoiceRow | None]:
        """The invoices of purchases, by the purchase's workspace and id."""
        return DataLoader(self._invoices)

    async def _invoices(self, keys: list[Owned]) -> Sequence[InvoiceRow | None]:
        async with self._database.read() as session:
            found = await invoice_store.of_purchases(session, keys)
        return [found.get(key) for key in keys]

    @cached_property
    def handles(self) -> DataLoader[UUID, str | None]:
        """The handles of users."""
        return DataLoader(self._handles)

    async def _handles(self, user_ids: list[UUID]) -> Sequence[str | None]:
        async with self._database.read() as session:
            found = await audit_log_store.handles(session, user_ids)
        return [found.get(user_id) for user_id in user_ids]

    @cached_property
    def key_names(self) -> DataLoader[UUID, str | None]:
        """The names of keys."""
        return DataLoader(self._key_names)

    async def _key_names(self, key_ids: list[UUID]) -> Sequence[str | None]:
        async with self._database.read() as session:
            found = await audit_log_store.key_names(session, key_ids)
        return [found.get(key_id) for key_id in key_ids]

    @cached_property
    def holds(self) -> DataLoader[Owned, HoldState | None]:
        """Holds by workspace and id."""
        return DataLoader(self._holds)

    async def _holds(self, keys: list[Owned]) -> Sequence[HoldState | None]:
        found: dict[Owned, HoldState] = {}
        async with self._database.read() as session:
            for workspace_id in {each for each, _ in keys}:
                hold_ids = [hold_id for each, hold_id in keys if each == workspace_id]
                holds = await ledger_reads.holds(session, workspace_id, hold_ids)
                found.update({(workspace_id, hold_id): hold for hold_id, hold in holds.items()})
        return [found.get(key) for key in keys]

    @cached_property
    def profiles(self) -> DataLoader[UUID, User | None]:
        """The profiles of users."""
        return DataLoader(self._profiles)

    async def _profiles(self, keys: list[UUID]) -> Sequence[User | None]:
        async with self._database.read() as session:
            found = await public_profiles.profiles_of(session, keys)
        return [found.get(key) for key in keys]
