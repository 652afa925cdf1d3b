"""Who a workspace's invoices are made out to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from app.db.engine import Session
from app.store import billing_details as billing_details_store
from app.store import customers as customer_store
from app.store import workspaces as workspace_store

# the provider takes no longer ones
_MOST_NAME_CHARACTERS: Final = 256


@dataclass(frozen=True, slots=True)
class BilledParty:
    """The name and address that the workspace's customer carries at the provider; `owner_id` is whose address it is."""

    name: str
    email: str | None
    owner_id: UUID | None

    @property
    def digest(self) -> bytes:
        """A hash of what the customer carries; the owner counts, since erasing a person must find it by them."""
        return hashlib.sha256(orjson.dumps([self.name, self.email, str(self.owner_id)])).digest()


async def billed_party(session: Session, workspace_id: UUID) -> BilledParty | None:
    """What the workspace's customer is to carry now, which is decided here alone; None when there is no such workspace.

    It is what the billing details say, otherwise the workspace's name, and the primary address of its longest-standing owner who
    has a verified one.
    """
    workspace = await workspace_store.get(session, workspace_id)
    if workspace is None:
        return None
    details = await billing_details_store.find(session, workspace_id)
    name = (details.name if details is not None else None) or workspace.name
    email = details.email if details is not None else None
    # an address for bills is the workspace's: it stays when an owner goes
    owner_id, address = (
        (None, email)
        if email is not None
        else await customer_store.owner_to_bill(session, workspace_id) or (None, None)
    )
    return BilledParty(name[:_MOST_NAME_CHARACTERS].rstrip(), address, owner_id)
