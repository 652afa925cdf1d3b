"""Changing the billing details: written here first, then at the payment provider, which may refuse a tax id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.payments import billing_details
from app.billing.payments.billing_details import DetailsBefore, DetailsChange, TaxIdGiven
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.errors import InvalidInput
from app.flows.flow_context import FlowContext
from app.flows.provider.customers import ensure_customer
from app.flows.provider.tax_details import TaxIdRefused, sync_details, sync_when_free
from app.payments.gateway_errors import GatewayRefused, GatewayUnavailable
from app.store import billing_accounts as billing_account_store
from app.store import billing_details as billing_details_store

_NOT_TAKEN: Final = "This is no tax id of its type."

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]
Count = Callable[[Session], Awaitable[None]]


async def update_details(
    context: FlowContext,
    workspace_id: UUID,
    change: DetailsChange,
    actor: Actor,
    authorize: Authorize,
    count: Count,
) -> None:
    """Change the billing details here, then at the provider; where that is away the worker does it.

    `authorize` and `count` work in the transaction that writes. A customer is made where a tax id is to be verified and there is
    none. Raises what `billing_details.write` refuses, and `InvalidInput` for a tax id that the provider refuses: then nothing of
    the change is kept.
    """
    wanted = billing_details.checked(change)
    tax_ids = wanted.tax_ids if isinstance(wanted.tax_ids, Sequence) else ()

    async def write(session: Session) -> DetailsBefore:
        await authorize(session)
        await count(session)
        return await billing_details.write(session, context.catalog.tax, workspace_id, wanted, actor)

    if tax_ids:
        # without a customer nobody looks a tax id up; where the provider is away, the next one that is made gets it
        with suppress(GatewayUnavailable, GatewayRefused):
            await ensure_customer(context, workspace_id)
    before = await transact(context.database, write, step="details.write")
    try:
        await sync_when_free(context, workspace_id)
        refused = await _dropped(context, workspace_id, tax_ids, before)
    except TaxIdRefused as error:
        refused = error
    except (GatewayUnavailable, GatewayRefused):
        # it is due, and the worker goes on
        return
    if refused is not None:
        await _take_back(context, workspace_id, before, actor)
        raise InvalidInput(refused.message, path=_path_of(refused.given, tax_ids)) from refused


async def _dropped(
    context: FlowContext, workspace_id: UUID, wanted: Sequence[TaxIdGiven], before: DetailsBefore
) -> TaxIdRefused | None:
    """A tax id that somebody else, who was comparing at this moment, was refused; None where each is there."""
    if not wanted:
        return None
    async with context.database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
        row = await billing_details_store.find(session, workspace_id)
        rows = await billing_details_store.tax_ids(session, workspace_id)
    if account is None or row is None or row.revision != before.revision:
        return None
    known = {TaxIdGiven(each.kind, each.value).key for each in rows}
    return next((TaxIdRefused(each, _NOT_TAKEN) for each in wanted if each.key not in known), None)


async def _take_back(context: FlowContext, workspace_id: UUID, before: DetailsBefore, actor: Actor) -> None:
    await transact(
        context.database,
        lambda session: billing_details.restore(session, context.catalog.tax, workspace_id, before, actor),
        step="details.restore",
    )
    try:
        await sync_details(context, workspace_id)
    except (GatewayUnavailable, GatewayRefused):
        # it is due, and the worker goes on
        return


def _path_of(given: TaxIdGiven, wanted: Sequence[TaxIdGiven]) -> tuple[str, ...]:
    keys = [each.key for each in wanted]
    return ("input", "taxIds", str(keys.index(given.key)), "value") if given.key in keys else ("input", "taxIds")
