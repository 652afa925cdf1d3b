"""Cards: customers save them with the provider, and they are mirrored here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.payments import card_mirror
from app.billing.payments.payment_errors import PaymentUnavailable
from app.db.engine import Session
from app.db.tables.payments import CardRow
from app.db.unit_of_work import transact
from app.errors import NotFound
from app.flows.flow_context import FlowContext
from app.flows.provider.customers import BilledParty, ensure_customer
from app.ids import uuid7
from app.payments.gateway_values import GatewayRefused, GatewayUnavailable, ReturnUrls, Wallet
from app.store import billing_accounts as billing_account_store

# The provider wants at least 30 minutes, counted from when the request arrives there.
_PAGE_OPEN_FOR: Final = timedelta(hours=1)

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]


@dataclass(frozen=True, slots=True)
class CardSetup:
    """How a card is saved: the client secret for Stripe.js and the mobile SDKs, and a page for those without."""

    client_secret: str
    hosted_url: str | None


async def add_card(context: FlowContext, party: BilledParty, urls: ReturnUrls, actor: Actor) -> CardSetup:
    """Begin to save a card. It appears once the provider reports it; the first one becomes the default.

    Closes the page that was opened before. Raises `PaymentUnavailable` when the provider can't be reached.
    """
    attempt = uuid7()
    try:
        customer_id = await ensure_customer(context, party)
        secret = await context.gateway.create_setup_intent(customer_id, key=f"setup:{attempt}")
        page = await context.gateway.open_card_page(
            customer_id,
            urls=urls,
            expires_at=context.database.clock.now() + _PAGE_OPEN_FOR,
            key=f"card-page:{attempt}",
        )
        replaced = await transact(
            context.database, lambda session: _keep_page(session, party, page.id, actor), step="cards.page"
        )
        if replaced is not None:
            await context.gateway.expire_checkout(replaced)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error
    return CardSetup(secret, page.url)


async def _keep_page(session: Session, party: BilledParty, page_id: str, actor: Actor) -> str | None:
    account = await billing_account_store.lock(session, party.workspace_id)
    replaced, account.card_page_id = account.card_page_id, page_id
    card_mirror.expect_card(session, account, until=session.now + _PAGE_OPEN_FOR)
    await audit_log.record(session, party.workspace_id, actor, "card.requested", "A form to add a card was asked for.")
    return replaced


async def check_due_cards(context: FlowContext, workspace_id: UUID) -> None:
    """Look for a card that is being saved, and again later while the form is open. Raises `GatewayUnavailable`."""
    try:
        await sync_cards(context, workspace_id)
    finally:
        await transact(
            context.database, lambda session: card_mirror.check_later(session, workspace_id), step="cards.look_later"
        )


async def sync_cards(context: FlowContext, workspace_id: UUID) -> None:
    """Mirror the provider's cards; where none of them is the default, make the oldest the default.

    Does nothing for a workspace without a customer, or one that is being deleted. Raises `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
    if account is None or account.customer_id is None or account.closing_at is not None:
        return
    written: Wallet | None = None
    # Of two syncs at once the one that fetched earlier may write last. So each fetches again after writing, until nothing changed.
    while (wallet := await _wallet(context, account.customer_id)) != written:
        written = await _write(context, workspace_id, wallet)


async def _wallet(context: FlowContext, customer_id: str) -> Wallet:
    wallet = await context.gateway.wallet(customer_id)
    if wallet.cards and wallet.default_card_id not in {card.id for card in wallet.cards}:
        # the provider refuses this where the card was removed a moment ago; the fetch below sees that
        with suppress(GatewayRefused):
            await context.gateway.set_default_card(customer_id, wallet.cards[0].id)
        wallet = await context.gateway.wallet(customer_id)
    return wallet


async def _write(context: FlowContext, workspace_id: UUID, wallet: Wallet) -> Wallet:
    await transact(
        context.database, lambda session: card_mirror.mirror(session, workspace_id, wallet), step="cards.mirror"
    )
    return wallet


async def set_default_card(
    context: FlowContext, workspace_id: UUID, card_id: UUID, actor: Actor, authorize: Authorize
) -> CardRow:
    """Charge this card by default, and return it as it was before.

    `authorize` checks that the caller may, in the transaction that records who asked. Raises `NotFound`, and
    `PaymentUnavailable` when the provider can't be reached.
    """
    event = "card.default_requested", "A card was asked to be the default."
    card = await _record_request(context, workspace_id, card_id, actor, authorize, *event)
    async with context.database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
    try:
        await context.gateway.set_default_card(account.customer_id or "" if account else "", card.provider_id)
        await sync_cards(context, workspace_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error
    return card


async def remove_card(
    context: FlowContext, workspace_id: UUID, card_id: UUID, actor: Actor, authorize: Authorize
) -> None:
    """Remove a card; where it was the default, the oldest that is left becomes the default.

    `authorize` checks that the caller may, in the transaction that records who asked. Raises `NotFound`, and
    `PaymentUnavailable` when the provider can't be reached: the card may then be removed or not, and the call can be repeated.
    """
    event = "card.removal_requested", "A card was asked to be removed."
    card = await _record_request(context, workspace_id, card_id, actor, authorize, *event)
    try:
        await context.gateway.detach_card(card.provider_id)
        await sync_cards(context, workspace_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error


async def _record_request(
    context: FlowContext,
    workspace_id: UUID,
    card_id: UUID,
    actor: Actor,
    authorize: Authorize,
    action: str,
    summary: str,
) -> CardRow:
    """Write to the audit log who asked for a change of the card, before it is sent to the provider; returns the card."""

    async def work(session: Session) -> CardRow:
        await authorize(session)
        card = await billing_account_store.card(session, workspace_id, card_id)
        if card is None:
            raise NotFound
        await audit_log.record(session, workspace_id, actor, action, summary, after=card_mirror.card_summary(card))
        return card

    return await transact(context.database, work, step="cards.ask")
