"""The workspace's customer at the payment provider: made when first needed, kept up to date, and forgotten once it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

import structlog

from app.billing.payments import customer_states
from app.billing.payments.billed_party import billed_party
from app.billing.payments.customer_states import CustomerWrite
from app.billing.payments.workspace_closing import WorkspaceClosing, require_open
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.provider.tax_details import ensure_details
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, GatewayUnavailable, MissingObject
from app.store import billing_accounts as billing_account_store

T = TypeVar("T")

_POLLS: Final = 20
_POLL_EVERY_SECONDS: Final = 0.1
# each may be deleted at the provider between two calls
_MOST_CUSTOMERS: Final = 3
# each time somebody may have changed what is written meanwhile
_MOST_WRITES: Final = 5

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def with_customer(context: FlowContext, workspace_id: UUID, work: Callable[[str], Awaitable[T]]) -> T:
    """What `work` returns for the workspace's customer. Where the provider says that it is gone, a new one is made, once.

    `work` makes the keys of its calls from the customer's id, since the provider answers a key again with its first refusal. Raises
    as `ensure_customer`.
    """
    customer_id = await ensure_customer(context, workspace_id)
    try:
        return await work(customer_id)
    except GatewayMissing as missing:
        if missing.kind is not MissingObject.CUSTOMER:
            raise
    await forget_customer(context, workspace_id, customer_id)
    return await work(await ensure_customer(context, workspace_id))


async def ensure_customer(context: FlowContext, workspace_id: UUID) -> str:
    """The provider's id of the workspace's customer, which carries what it should by then; it is made if there is none.

    Its address, tax ids and exemption too are as they should be, so that what is charged next is taxed right.

    Raises `WorkspaceClosing` for a workspace that is being deleted, `GatewayUnavailable`, and `GatewayRefused`.
    """
    for _ in range(_MOST_CUSTOMERS):
        async with context.database.read() as session:
            account = await billing_account_store.find(session, workspace_id)
            party = await billed_party(session, workspace_id)
        require_open(account)
        customer_id = account.customer_id if account is not None else None
        if account is not None and customer_id is not None and party is not None:
            if account.customer_digest == party.digest:
                if (ready := await ensure_details(context, workspace_id)) is not None:
                    return ready
                continue
        elif await _make(context, workspace_id, account.customer_generation if account is not None else 0) is None:
            continue
        written = await update_customer(context, workspace_id)
        if written is not None and (ready := await ensure_details(context, workspace_id)) is not None:
            return ready
    raise GatewayUnavailable("the customer is deleted at the provider as soon as it is made")


async def update_customer(context: FlowContext, workspace_id: UUID) -> str | None:
    """Bring the workspace's customer up to date, and return its id; None where there is none, or it turns out to be gone.

    Compares again after writing, so that of two writers the last one writes what is true by then. Raises `GatewayUnavailable`: then
    it is due again soon.
    """
    for _ in range(_MOST_WRITES):
        write = await transact(
            context.database,
            lambda session: customer_states.begin_write(session, workspace_id),
            step="customer.begin_write",
        )
        if write is None:
            break
        if not await _send(context, workspace_id, write):
            return None
        if await transact(
            context.database,
            lambda session, write=write: customer_states.end_write(session, workspace_id, write),
            step="customer.end_write",
        ):
            break
    async with context.database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
    return account.customer_id if account is not None else None


async def correct_customer(context: FlowContext, workspace_id: UUID, customer_id: str) -> None:
    """Write the workspace's customer again where it was changed at the provider; does nothing for one that is gone.

    Raises `GatewayUnavailable`.
    """
    try:
        found = await context.gateway.customer_details(customer_id)
    except GatewayMissing:
        return
    async with context.database.read() as session:
        # most events tell of what we wrote ourselves: those lock nothing
        if not await customer_states.is_changed(session, workspace_id, customer_id, found):
            return
    if await transact(
        context.database,
        lambda session: customer_states.note_change(session, workspace_id, customer_id, found),
        step="customer.note_change",
    ):
        _log.warning("customer.changed_at_provider", workspace=str(workspace_id), customer=customer_id)
        await update_customer(context, workspace_id)


async def _send(context: FlowContext, workspace_id: UUID, write: CustomerWrite) -> bool:
    """Write the customer; False when it is gone, and forgotten by now."""
    try:
        await context.gateway.update_customer(write.customer_id, name=write.party.name, email=write.party.email)
    except GatewayMissing as missing:
        if missing.kind is not MissingObject.CUSTOMER:
            raise
        await forget_customer(context, workspace_id, write.customer_id)
        return False
    except GatewayRefused:
        await transact(
            context.database,
            lambda session: customer_states.refuse_write(session, workspace_id, write),
            step="customer.refuse_write",
        )
        raise
    return True


async def forget_customer(context: FlowContext, workspace_id: UUID, customer_id: str) -> None:
    """Forget a customer that the provider says is gone, unless it is the workspace's no more; the next need makes a new one."""
    if await transact(
        context.database,
        lambda session: customer_states.forget(session, workspace_id, customer_id),
        step="customer.forget",
    ):
        _log.warning("customer.deleted_at_provider", workspace=str(workspace_id), customer=customer_id)


async def _make(context: FlowContext, workspace_id: UUID, generation: int) -> str | None:
    """Make a customer that carries nothing, so that one whose id is lost in a crash names nobody; None where it is gone again.

    Callers at the same moment send the same idempotency key and get the same customer. The key counts the customers that are gone:
    the provider answers one that was used with the customer of that time.
    """
    try:
        made = await context.gateway.create_customer(
            workspace_id=str(workspace_id), key=f"customer:{workspace_id}:{generation}"
        )
    except GatewayUnavailable:
        # the provider refuses a key that is in use: another caller may be making the customer at this moment
        return await _made_by_another(context, workspace_id)

    async def save(session: Session) -> str | None:
        require_open(await billing_account_store.lock(session, workspace_id))
        return await customer_states.keep_new(session, workspace_id, made, generation=generation)

    try:
        return await transact(context.database, save, step="customer.save")
    except WorkspaceClosing:
        # the workspace was deleted while its customer was made: nothing of it may stay at the provider
        await context.gateway.delete_customer(made)
        raise


async def _made_by_another(context: FlowContext, workspace_id: UUID) -> str:
    for _ in range(_POLLS):
        await asyncio.sleep(_POLL_EVERY_SECONDS)
        async with context.database.read() as session:
            account = await billing_account_store.find(session, workspace_id)
        if account is not None and account.customer_id is not None:
            return account.customer_id
    raise GatewayUnavailable("the customer could not be made")
