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
from app.billing.payments.card_mirror import CardsToKeep
from app.billing.payments.payment_errors import PaymentUnavailable
from app.db.engine import Session
from app.db.tables.payments import CardRow
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import DomainError, NotFound
from app.flows.flow_context import FlowContext
from app.flows.provider.customers import forget_customer, with_customer
from app.ids import uuid7
from app.payments.gateway_errors import GatewayMissing, GatewayRefused, GatewayUnavailable, MissingObject
from app.payments.gateway_values import Checkout, ReturnUrls, Wallet
from app.store import billing_accounts as billing_account_store
from app.store import subscriptions as subscription_store

# The provider wants at least 30 minutes, counted from when the request arrives there.
_PAGE_OPEN_FOR: Final = timedelta(hours=1)

Authorize = Callable[[Session], Awaitable[WorkspaceAccess]]


class LastCard(DomainError):
    """The subscription is charged to this card, and there is no other: add another card, or cancel the subscription, first."""

    code = ErrorCode.CONFLICT


@dataclass(frozen=True, slots=True)
class CardSetup:
    """How a card is saved: the client secret for Stripe.js and the mobile SDKs, and a page for those without."""

    client_secret: str
    hosted_url: str | None


async def add_card(context: FlowContext, workspace_id: UUID, urls: ReturnUrls, actor: Actor) -> CardSetup:
    """Begin to save a card. It appears once the provider reports it; the first one becomes the default.

    Cards that the provider has already are mirrored first. Closes the page that was opened before. Raises `PaymentUnavailable` when
    the provider can't be reached.
    """

    async def begin(customer_id: str) -> tuple[str, Checkout]:
        attempt = uuid7()
        secret = await context.gateway.create_setup_intent(customer_id, key=f"setup:{attempt}")
        page = await context.gateway.open_card_page(
            customer_id,
            urls=urls,
            expires_at=context.database.clock.now() + _PAGE_OPEN_FOR,
            key=f"card-page:{attempt}",
        )
        return secret, page

    # cards may have been attached in the dashboard, or saved by a form whose event was lost
    await try_to_sync_cards(context, workspace_id)
    try:
        secret, page = await with_customer(context, workspace_id, begin)
        replaced = await transact(
            context.database, lambda session: _keep_page(session, workspace_id, page.id, actor), step="cards.page"
        )
        if replaced is not None:
            await context.gateway.expire_checkout(replaced)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error
    return CardSetup(secret, page.url)


async def _keep_page(session: Session, workspace_id: UUID, page_id: str, actor: Actor) -> str | None:
    account = await billing_account_store.lock(session, workspace_id)
    replaced, account.card_page_id = account.card_page_id, page_id
    card_mirror.expect_card(session, account, until=session.now + _PAGE_OPEN_FOR)
    await audit_log.record(session, workspace_id, actor, "card.requested", "A form to add a card was asked for.")
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

    A card that was saved again replaces the one saved before, which is detached, unless a charge is under way with that. Forgets a
    customer that is gone. Does nothing for a workspace without a customer, or one that is being deleted. Raises
    `GatewayUnavailable`.
    """
    async with context.database.read() as session:
        account = await billing_account_store.find(session, workspace_id)
    if account is None or account.customer_id is None or account.closing_at is not None:
        return
    customer_id, written = account.customer_id, None
    try:
        # Of two syncs at once the one that fetched earlier may write last. So each fetches again after writing, until nothing
        # changed.
        while (wallet := await _wallet(context, customer_id)) != written:
            written = await _write(context, workspace_id, customer_id, wallet)
    except GatewayMissing as missing:
        if missing.kind is not MissingObject.CUSTOMER:
            raise
        await forget_customer(context, workspace_id, customer_id)


async def try_to_sync_cards(context: FlowContext, workspace_id: UUID) -> None:
    """Mirror the provider's cards, if the provider can be asked: before it is said that there is no card."""
    with suppress(GatewayUnavailable, GatewayRefused):
        await sync_cards(context, workspace_id)


async def _wallet(context: FlowContext, customer_id: str) -> Wallet:
    wallet = await context.gateway.wallet(customer_id)
    if wallet.cards and wallet.default_card_id not in {card.id for card in wallet.cards}:
        # the provider refuses this where the card was removed a moment ago; the fetch below sees that
        with suppress(GatewayRefused):
            await context.gateway.set_default_card(customer_id, wallet.cards[0].id)
        wallet = await context.gateway.wallet(customer_id)
    return wallet


async def _write(context: FlowContext, workspace_id: UUID, customer_id: str, wallet: Wallet) -> Wallet:
    """Mirror the cards, then detach those that were saved again; returns the wallet as it was given.

    Nothing can be charged to a replaced card once the mirror is written. Where the process dies before it is detached, the next
    sync finds and detaches it.
    """

    async def work(session: Session) -> CardsToKeep | None:
        account = await billing_account_store.lock(session, workspace_id)
        # the cards of a customer who was forgotten meanwhile are gone
        if account.customer_id != customer_id:
            return None
        cards = await card_mirror.without_replaced(session, workspace_id, wallet)
        await card_mirror.mirror(session, workspace_id, cards.wallet, replaced=cards.replaced)
        return cards

    cards = await transact(context.database, work, step="cards.mirror")
    if cards is not None and cards.replaced:
        default = cards.wallet.default_card_id
        if default is not None and default != wallet.default_card_id:
            # the provider refuses this where the card was removed a moment ago; the next fetch sees that
            with suppress(GatewayRefused):
                await context.gateway.set_default_card(customer_id, default)
        for card_id in cards.replaced:
            await context.gateway.detach_card(card_id)
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
    if account is None or account.customer_id is None:
        # forgotten with its customer a moment ago
        raise NotFound
    try:
        await context.gateway.set_default_card(account.customer_id, card.provider_id)
        await sync_cards(context, workspace_id)
    except GatewayMissing as missing:
        if missing.kind is not MissingObject.CUSTOMER:
            raise PaymentUnavailable from missing
        await forget_customer(context, workspace_id, account.customer_id)
        raise NotFound from missing
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error
    return card


async def remove_card(
    context: FlowContext, workspace_id: UUID, card_id: UUID, actor: Actor, authorize: Authorize
) -> None:
    """Remove a card; where it was the default, the oldest that is left becomes the default.

    `authorize` checks that the caller may, in the transaction that records who asked. Raises `NotFound`, `LastCard`, and
    `PaymentUnavailable` when the provider can't be reached: the card may then be removed or not, and the call can be repeated.
    """

    async def authorize_removal(session: Session) -> WorkspaceAccess:
        access = await authorize(session)
        await _require_another_card(session, workspace_id, card_id)
        return access

    event = "card.removal_requested", "A card was asked to be removed."
    card = await _record_request(context, workspace_id, card_id, actor, authorize_removal, *event)
    try:
        await context.gateway.detach_card(card.provider_id)
        await sync_cards(context, workspace_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error


async def _require_another_card(session: Session, workspace_id: UUID, card_id: UUID) -> None:
    """Raise `LastCard` for the only card of a workspace whose subscription goes on."""
    await billing_account_store.lock(session, workspace_id)
    subscription = await subscription_store.find(session, workspace_id)
    goes_on = subscription is not None and subscription.provider_id is not None and subscription.ends_at is None
    if goes_on and {card.id for card in await billing_account_store.cards(session, workspace_id)} == {card_id}:
        raise LastCard


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
