"""The workspace's customer at the payment provider."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.billing.payments.workspace_closing import WorkspaceClosing, require_open
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.payments.gateway_values import GatewayUnavailable
from app.store import billing_accounts as billing_account_store

_POLLS: Final = 20
_POLL_EVERY_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class BilledParty:
    """The workspace, and the name and address that its customer has at the provider."""

    workspace_id: UUID
    name: str
    email: str | None


async def ensure_customer(context: FlowContext, party: BilledParty) -> str:
    """The provider's id of the workspace's customer, which is made if there is none.

    Callers at the same moment send the same idempotency key and get the same customer. Raises `WorkspaceClosing` for a workspace
    that is being deleted.
    """
    async with context.database.read() as session:
        account = await billing_account_store.find(session, party.workspace_id)
    require_open(account)
    if account is not None and account.customer_id is not None:
        return account.customer_id
    try:
        made = await context.gateway.create_customer(
            workspace_id=str(party.workspace_id),
            name=party.name,
            email=party.email,
            key=f"customer:{party.workspace_id}",
        )
    except GatewayUnavailable:
        # the provider refuses a key that is in use: another caller may be making the customer at this moment
        return await _made_by_another(context, party)

    async def save(session: Session) -> str:
        account = await billing_account_store.lock(session, party.workspace_id)
        require_open(account)
        if account.customer_id is None:
            account.customer_id = made
        return account.customer_id

    try:
        return await transact(context.database, save, step="customer.save")
    except WorkspaceClosing:
        # the workspace was deleted while its customer was made: nothing of it may stay at the provider
        await context.gateway.delete_customer(made)
        raise


async def _made_by_another(context: FlowContext, party: BilledParty) -> str:
    for _ in range(_POLLS):
        await asyncio.sleep(_POLL_EVERY_SECONDS)
        async with context.database.read() as session:
            account = await billing_account_store.find(session, party.workspace_id)
        if account is not None and account.customer_id is not None:
            return account.customer_id
    raise GatewayUnavailable("the customer could not be made")
