"""The billing details at the payment provider: address, tax ids and exemption, written there and mirrored from there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final
from uuid import UUID

from app.billing.payments import customer_states, details_sync
from app.billing.payments.billing_details import TaxIdGiven
from app.billing.payments.details_sync import CustomerReplaced, DetailsBusy, DetailsClaim, DetailsWrites
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, GatewayUnavailable, InvalidTaxId, MissingObject
from app.store import billing_accounts as billing_account_store
from app.store import billing_details as billing_details_store

# each time somebody may have changed something here meanwhile
_MOST_ROUNDS: Final = 5
_WAITS_SECONDS: Final = 10.0
_POLL_EVERY_SECONDS: Final = 0.1


class TaxIdRefused(Exception):
    """The provider refused the text of a tax id, for a reason in its own words."""

    def __init__(self, given: TaxIdGiven, message: str) -> None:
        super().__init__(message)
        self.given = given
        self.message = message


async def sync_details(context: FlowContext, workspace_id: UUID) -> None:
    """Compare address, tax ids and exemption with the provider's: write what was changed here, mirror what was changed there.

    Does nothing for a workspace without a customer. What somebody else is comparing is compared again after that, by the worker.
    Raises `GatewayUnavailable`: then it is due again.
    """
    try:
        await _sync(context, workspace_id)
    except DetailsBusy:
        await transact(
            context.database, lambda session: details_sync.due_now(session, workspace_id), step="details.due_now"
        )


async def ensure_details(context: FlowContext, workspace_id: UUID) -> str | None:
    """Before something is charged: bring to the provider what decides about its tax, where it is not known to be there.

    Returns the customer's id; None where there is none, or it turns out to be gone. Raises `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
        is_due = account is not None and account.details_due_at is not None and account.details_due_at <= session.now
    if account is not None and account.customer_id is not None and is_due:
        # a tax id that is refused is dropped, which keeps nobody from paying
        with suppress(TaxIdRefused):
            await sync_when_free(context, workspace_id)
        async with context.database.read() as session:
            account = await billing_account_store.find(session, workspace_id)
    return account.customer_id if account is not None else None


async def details_changed(context: FlowContext, workspace_id: UUID, customer_id: str) -> None:
    """Process the event that a customer changed: compare where its address or exemption is another. Raises `GatewayUnavailable`."""
    try:
        found = await context.gateway.billing_details(customer_id)
    except GatewayMissing:
        return
    async with context.database.read() as session:
        row = await billing_details_store.find(session, workspace_id)
        account = await billing_account_store.find(session, workspace_id)
    if account is not None and account.customer_id == customer_id and not details_sync.is_as_known(row, found):
        await sync_details(context, workspace_id)


async def sync_when_free(context: FlowContext, workspace_id: UUID) -> None:
    """Compare, waiting for who is comparing. Raises `GatewayUnavailable`, where that takes too long too, and `TaxIdRefused`."""
    ends_at = asyncio.get_running_loop().time() + _WAITS_SECONDS
    while True:
        try:
            return await _sync(context, workspace_id, tells_refusals=True)
        except DetailsBusy as busy:
            if asyncio.get_running_loop().time() >= ends_at:
                raise GatewayUnavailable("somebody else is writing the billing details") from busy
        await asyncio.sleep(_POLL_EVERY_SECONDS)


async def _sync(context: FlowContext, workspace_id: UUID, *, tells_refusals: bool = False) -> None:
    refused: TaxIdRefused | None = None
    for _ in range(_MOST_ROUNDS):
        claimed = await transact(
            context.database, lambda session: details_sync.claim(session, workspace_id), step="details.claim"
        )
        if claimed is None:
            break
        try:
            refused = await _compare(context, workspace_id, claimed) or refused
        except CustomerReplaced:
            continue
        except GatewayMissing as missing:
            if missing.kind is MissingObject.CUSTOMER:
                await _forget(context, workspace_id, claimed)
                break
            await _release(context, workspace_id, claimed, was_refused=True)
            raise
        except GatewayRefused:
            await _release(context, workspace_id, claimed, was_refused=True)
            raise
        if await _release(context, workspace_id, claimed):
            break
    if refused is not None and tells_refusals:
        raise refused


async def _release(
    context: FlowContext, workspace_id: UUID, claimed: DetailsClaim, *, was_refused: bool = False
) -> bool:
    return await transact(
        context.database,
        lambda session: details_sync.release(session, workspace_id, claimed, was_refused=was_refused),
        step="details.release",
    )


async def _forget(context: FlowContext, workspace_id: UUID, claimed: DetailsClaim) -> None:
    await transact(
        context.database,
        lambda session: customer_states.forget(session, workspace_id, claimed.customer_id),
        step="customer.forget",
    )


async def _compare(context: FlowContext, workspace_id: UUID, claimed: DetailsClaim) -> TaxIdRefused | None:
    """Fetch, merge, write; returns a tax id that the provider refused."""
    try:
        found = await context.gateway.billing_details(claimed.customer_id)
        tax_ids = await context.gateway.tax_ids(claimed.customer_id)
    except GatewayUnavailable:
        await transact(
            context.database,
            lambda session: details_sync.back_off(session, workspace_id, claimed),
            step="details.back_off",
        )
        raise
    writes = await transact(
        context.database,
        lambda session: details_sync.merge(session, workspace_id, claimed, found, tax_ids),
        step="details.merge",
    )
    refused = await _write(context, workspace_id, claimed, writes)
    exemption = await transact(
        context.database,
        lambda session: details_sync.exemption_to_write(session, context.catalog.tax, workspace_id, claimed),
        step="details.exempt",
    )
    if exemption is not None:
        await context.gateway.set_exemption(claimed.customer_id, exemption)
        await transact(
            context.database,
            lambda session: details_sync.exemption_written(session, workspace_id, claimed, exemption),
            step="details.exempted",
        )
    return refused


async def _write(
    context: FlowContext, workspace_id: UUID, claimed: DetailsClaim, writes: DetailsWrites
) -> TaxIdRefused | None:
    customer_id, refused = claimed.customer_id, None
    for row_id, provider_id in writes.deleted:
        await context.gateway.delete_tax_id(customer_id, provider_id)
        await transact(
            context.database,
            lambda session, row_id=row_id: details_sync.tax_id_deleted(session, workspace_id, claimed, row_id),
            step="details.tax_id_deleted",
        )
    for row_id, given in writes.created:
        made = None
        try:
            made = await context.gateway.create_tax_id(
                customer_id, kind=given.kind, value=given.value, key=f"{row_id}:tax-id:{customer_id}"
            )
        except InvalidTaxId as invalid:
            refused = TaxIdRefused(given, str(invalid))
        await transact(
            context.database,
            lambda session, row_id=row_id, made=made: details_sync.tax_id_made(
                session, workspace_id, claimed, row_id, made
            ),
            step="details.tax_id_made",
        )
    if writes.writes_address:
        await context.gateway.set_address(customer_id, writes.address)
        await transact(
            context.database,
            lambda session: details_sync.address_written(session, workspace_id, claimed),
            step="details.address_written",
        )
    return refused
