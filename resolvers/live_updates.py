"""Live updates: how the hub reads each topic, and who may watch what."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar, cast
from uuid import UUID

from app.accounts.access.callers import Caller
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import refusals_of
from app.accounts.people import sessions
from app.billing.payments import card_mirror as card_rules
from app.billing.payments import invoice_mirror as invoice_rules
from app.billing.purchases import purchase_states as purchase_rules
from app.db.engine import Database
from app.db.tables.payments import InvoiceRow
from app.db.tables.purchases import CreditPurchaseRow
from app.errors import ProtocolError, Unauthenticated
from app.ledger import ledger_reads
from app.ledger import post_movements as ledger_post
from app.ledger.ledger_reads import Balance
from app.live import Topic, Versioned
from app.store import billing_accounts as billing_account_store
from app.store import invoices as invoice_store
from app.store import purchases as purchase_store
from resolvers import global_ids
from resolvers.context import Context

T = TypeVar("T")
V = TypeVar("V")

# How far back a client that comes back with `since` can be told of; older ones are in the list.
_LATEST_INVOICES = 100


@dataclass(slots=True)
class State(Generic[T]):
    """A state of something that is watched: the same object for everyone who watches it."""

    object_id: UUID
    version: int
    value: T
    _shown: object = field(default=None, init=False, repr=False, compare=False)

    def shown(self, of: Callable[[T], V]) -> V:
        """What clients are shown of it: made by the first who asks, for all who watch, and so the same for each of them."""
        if self._shown is None:
            self._shown = of(self.value)
        return cast(V, self._shown)


def topics(database: Database) -> Mapping[str, Topic]:
    """How each topic's states are read, many objects of a workspace at a time, and who may not see them."""

    async def credit_balance(workspace_id: UUID, _object_ids: frozenset[UUID] | None) -> Sequence[State[Balance]]:
        async with database.read() as session:
            balance = (await ledger_reads.balances(session, [workspace_id]))[workspace_id]
        return [State(workspace_id, balance.version, balance)]

    async def credit_purchase(
        workspace_id: UUID, object_ids: frozenset[UUID] | None
    ) -> Sequence[State[CreditPurchaseRow]]:
        async with database.read() as session:
            found = await purchase_store.find_many(session, [(workspace_id, each) for each in object_ids or ()])
        return [State(row.id, row.version, row) for row in found.values()]

    async def cards(workspace_id: UUID, _object_ids: frozenset[UUID] | None) -> Sequence[State[None]]:
        async with database.read() as session:
            account = await billing_account_store.find(session, workspace_id)
        return [State(workspace_id, account.cards_version if account is not None else 0, None)]

    async def invoice(workspace_id: UUID, object_ids: frozenset[UUID] | None) -> Sequence[State[InvoiceRow]]:
        async with database.read() as session:
            rows = await invoice_store.changed(session, workspace_id, object_ids, limit=_LATEST_INVOICES)
        return [State(row.id, row.version, row) for row in rows]

    async def blind_to_billing(workspace_id: UUID, callers: Collection[Hashable]) -> Mapping[Hashable, ProtocolError]:
        watching = cast(Collection[Caller], callers)
        async with database.read() as session:
            refusals = await refusals_of(session, watching, workspace_id, WorkspacePermission.VIEW_BILLING)
            ended = await sessions.ended(session, watching)
        return {**refusals, **dict.fromkeys(ended, Unauthenticated())}

    return {
        ledger_post.TOPIC: Topic(credit_balance, blind_to_billing),
        purchase_rules.TOPIC: Topic(credit_purchase, blind_to_billing),
        card_rules.TOPIC: Topic(cards, blind_to_billing),
        invoice_rules.TOPIC: Topic(invoice, blind_to_billing),
    }


def watch_balance(context: Context, workspace_id: str) -> AsyncGenerator[State[Balance], None]:
    """The balance of a workspace: as it stands, then after each change."""
    owner = global_ids.workspace_id(workspace_id)
    return cast(AsyncGenerator[State[Balance], None], _watch(context, ledger_post.TOPIC, owner, owner))


def watch_purchase(context: Context, purchase_id: str) -> AsyncGenerator[State[CreditPurchaseRow], None]:
    """A purchase: as it stands, then after each change."""
    owner, row_id = global_ids.owned_id(purchase_id, "CreditPurchase")
    return cast(AsyncGenerator[State[CreditPurchaseRow], None], _watch(context, purchase_rules.TOPIC, owner, row_id))


def watch_cards(context: Context, workspace_id: str) -> AsyncGenerator[State[None], None]:
    """The cards of a workspace: as they stand, then after each change."""
    owner = global_ids.workspace_id(workspace_id)
    return cast(AsyncGenerator[State[None], None], _watch(context, card_rules.TOPIC, owner, owner))


def watch_invoices(
    context: Context, workspace_id: str, since: datetime | None
) -> AsyncGenerator[State[InvoiceRow], None]:
    """Every invoice of a workspace that is issued or changes; first those that changed after `since`, where that is given."""
    owner = global_ids.workspace_id(workspace_id)

    def opens_with(state: Versioned) -> bool:
        row = cast(State[InvoiceRow], state).value
        return since is not None and row.changed_at > since

    stream = context.runtime.hub.subscribe_all(invoice_rules.TOPIC, owner, opens_with=opens_with, caller=context.caller)
    return cast(AsyncGenerator[State[InvoiceRow], None], stream)


def _watch(context: Context, topic: str, workspace_id: UUID, object_id: UUID) -> AsyncGenerator[object, None]:
    return context.runtime.hub.subscribe(topic, workspace_id, object_id, caller=context.caller)
