"""What can be watched live: how the states of each topic are read, and who is refused them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar, cast
from uuid import UUID

from app.accounts.access.callers import Caller
from app.accounts.access.permissions import WorkspacePermission
from app.accounts.access.workspace_access import refusals_of
from app.accounts.people import sessions
from app.billing.payments import card_mirror, invoice_mirror
from app.billing.purchases import purchase_states
from app.billing.subscriptions.shown_subscription import ShownSubscription, shown_subscription
from app.catalog import Catalog
from app.db.engine import Database
from app.db.reads import Reads, read_many, read_rows
from app.errors import NotFound, ProtocolError, Unauthenticated
from app.ledger import ledger_reads
from app.ledger import post_movements as ledger_post
from app.ledger.ledger_reads import Balance
from app.live import Topic
from app.metering.bars import Usage, read_usage
from app.store import billing_accounts as billing_account_store
from app.store import invoices as invoice_store
from app.store import purchases as purchase_store
from app.store import subscriptions as subscription_store
from app.store import usage_states as usage_state_store
from app.store.invoices import MirroredInvoice
from app.store.purchases import SeenPurchase

T = TypeVar("T")
V = TypeVar("V")

LATEST_INVOICES: Final = 100
"""How many changed invoices are sent first to a client that asks for those since a time; older ones are in the list."""


@dataclass(slots=True)
class State(Generic[T]):
    """A state of something that is watched: the same object for everyone who watches it."""

    object_id: UUID
    version: int
    value: T
    _shown: dict[Hashable, object] = field(
        default_factory=dict[Hashable, object], init=False, repr=False, compare=False
    )

    def shown(self, of: Callable[[T], V], *, to: Hashable = None) -> V:
        """What clients are shown of it: made by the first who asks, for all who watch, and so the same for each of them.

        Where not all may see the same of it, `to` says what kind of watcher this one is: only those of a kind share what is made.
        """
        if to not in self._shown:
            self._shown[to] = of(self.value)
        return cast(V, self._shown[to])


@dataclass(frozen=True, slots=True)
class Topics:
    """Everything that can be watched."""

    balances: Topic[State[Balance], Caller]
    purchases: Topic[State[SeenPurchase], Caller]
    cards: Topic[State[None], Caller]
    invoices: Topic[State[MirroredInvoice], Caller]
    subscriptions: Topic[State[ShownSubscription], Caller]
    usages: Topic[State[Usage], Caller]


def live_topics(database: Database, catalog: Catalog) -> Topics:
    """The topics, read from this database, many objects of a workspace at a time."""

    async def credit_balance(workspace_id: UUID, _object_ids: frozenset[UUID] | None) -> Sequence[State[Balance]]:
        balance = await ledger_reads.balance(Reads(database), workspace_id)
        return [State(workspace_id, balance.version, balance)]

    async def credit_purchase(workspace_id: UUID, object_ids: frozenset[UUID] | None) -> Sequence[State[SeenPurchase]]:
        keys = [(workspace_id, each) for each in object_ids or ()]
        return [State(row.id, row.version, row) for row in await read_many(database, purchase_store.PURCHASES, keys)]

    async def cards(workspace_id: UUID, _object_ids: frozenset[UUID] | None) -> Sequence[State[None]]:
        accounts = await read_many(database, billing_account_store.ACCOUNTS, [workspace_id])
        return [State(workspace_id, accounts[0].cards_version if accounts else 0, None)]

    async def invoice(workspace_id: UUID, object_ids: frozenset[UUID] | None) -> Sequence[State[MirroredInvoice]]:
        if object_ids is None:
            rows = await read_rows(database, invoice_store.CHANGED_LAST, workspace_id, LATEST_INVOICES)
        else:
            rows = await read_many(database, invoice_store.INVOICES, [(workspace_id, each) for each in object_ids])
        return [State(row.id, row.version, row) for row in sorted(rows, key=lambda row: row.changed_at)]

    async def subscription(
        workspace_id: UUID, _object_ids: frozenset[UUID] | None
    ) -> Sequence[State[ShownSubscription]]:
        try:
            shown = await shown_subscription(Reads(database), catalog, workspace_id)
        except NotFound:
            return []
        return [State(workspace_id, shown.version, shown)]

    async def usage(workspace_id: UUID, _object_ids: frozenset[UUID] | None) -> Sequence[State[Usage]]:
        try:
            # with what is used per day, so that it fits the bars for whoever asks for it
            found = await read_usage(Reads(database), catalog, workspace_id, with_series=True)
        except NotFound:
            return []
        return [State(workspace_id, found.version, found)]

    async def refused(
        workspace_id: UUID, callers: Collection[Caller], permission: WorkspacePermission | None
    ) -> Mapping[Caller, ProtocolError]:
        async with database.read() as session:
            refusals = await refusals_of(session, callers, workspace_id, permission)
            ended = await sessions.ended(session, callers)
        return {**refusals, **dict.fromkeys(ended, Unauthenticated())}

    async def without_view_billing(workspace_id: UUID, callers: Collection[Caller]) -> Mapping[Caller, ProtocolError]:
        return await refused(workspace_id, callers, WorkspacePermission.VIEW_BILLING)

    async def outsiders(workspace_id: UUID, callers: Collection[Caller]) -> Mapping[Caller, ProtocolError]:
        return await refused(workspace_id, callers, None)

    return Topics(
        balances=Topic(ledger_post.TOPIC, credit_balance, without_view_billing),
        purchases=Topic(purchase_states.TOPIC, credit_purchase, without_view_billing),
        cards=Topic(card_mirror.TOPIC, cards, without_view_billing),
        invoices=Topic(invoice_mirror.TOPIC, invoice, without_view_billing),
        subscriptions=Topic(subscription_store.TOPIC, subscription, outsiders),
        usages=Topic(usage_state_store.TOPIC, usage, outsiders),
    )
