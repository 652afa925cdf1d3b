"""The workspace's customer at the payment provider."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.desk import Desk
from app.store import billing_accounts


@dataclass(frozen=True, slots=True)
class BilledParty:
    """Who the provider is told the customer is."""

    workspace_id: UUID
    name: str
    email: str | None


async def ensure_customer(desk: Desk, party: BilledParty) -> str:
    """The provider's id of the workspace's customer, made once: two callers at once send the same key and get the same one."""
    async with desk.database.read() as session:
        account = await billing_accounts.find(session, party.workspace_id)
    if account is not None and account.customer_id is not None:
        return account.customer_id
    made = await desk.gateway.create_customer(
        workspace_id=str(party.workspace_id), name=party.name, email=party.email, key=f"customer:{party.workspace_id}"
    )

    async def save(session: Session) -> str:
        account = await billing_accounts.lock(session, party.workspace_id)
        if account.customer_id is None:
            account.customer_id = made
        return account.customer_id

    return await transact(desk.database, save, step="customer.save")
