"""What one operation loads in batches, so that a page of history costs a fixed number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from strawberry.dataloader import DataLoader

from app.accounts import profiles
from app.accounts.users import User
from app.db.engine import Database
from app.db.tables.payments import CreditPurchaseRow, InvoiceRow
from app.ledger import balances
from app.ledger.movements import HoldState
from app.store import audit, invoices, purchases

Owned = tuple[UUID, UUID]
"""The (workspace, id) of something that belongs to a workspace."""


class Loaders:
    """Fresh for each operation and for each event of a live update."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.purchases: DataLoader[Owned, CreditPurchaseRow | None] = DataLoader(self._purchases)
        self.invoices_of_purchases: DataLoader[Owned, InvoiceRow | None] = DataLoader(self._invoices)
        self.holds: DataLoader[Owned, HoldState | None] = DataLoader(self._holds)
        self.handles: DataLoader[UUID, str | None] = DataLoader(self._handles)
        self.key_names: DataLoader[UUID, str | None] = DataLoader(self._key_names)
        self.profiles: DataLoader[UUID, User | None] = DataLoader(self._profiles)

    async def _purchases(self, keys: list[Owned]) -> Sequence[CreditPurchaseRow | None]:
        async with self._database.read() as session:
            found = await purchases.find_many(session, keys)
        return [found.get(key) for key in keys]

    async def _invoices(self, keys: list[Owned]) -> Sequence[InvoiceRow | None]:
        async with self._database.read() as session:
            found = await invoices.of_purchases(session, keys)
        return [found.get(key) for key in keys]

    async def _handles(self, user_ids: list[UUID]) -> Sequence[str | None]:
        async with self._database.read() as session:
            found = await audit.handles(session, user_ids)
        return [found.get(user_id) for user_id in user_ids]

    async def _key_names(self, key_ids: list[UUID]) -> Sequence[str | None]:
        async with self._database.read() as session:
            found = await audit.key_names(session, key_ids)
        return [found.get(key_id) for key_id in key_ids]

    async def _holds(self, keys: list[Owned]) -> Sequence[HoldState | None]:
        found: dict[Owned, HoldState] = {}
        async with self._database.read() as session:
            for workspace_id in {workspace_id for workspace_id, _ in keys}:
                hold_ids = [hold_id for owner, hold_id in keys if owner == workspace_id]
                holds = await balances.holds(session, workspace_id, hold_ids)
                found.update({(workspace_id, hold_id): hold for hold_id, hold in holds.items()})
        return [found.get(key) for key in keys]

    async def _profiles(self, keys: list[UUID]) -> Sequence[User | None]:
        async with self._database.read() as session:
            found = await profiles.profiles_of(session, keys)
        return [found.get(key) for key in keys]
