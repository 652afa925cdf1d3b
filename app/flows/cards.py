"""Cards: saved by the customer with the provider, mirrored here."""

from __future__ import annotations

from uuid import UUID

from app.billing import cards
from app.billing.purchases import PaymentUnavailable
from app.db.unit_of_work import transact
from app.flows.customers import BilledParty, ensure_customer
from app.flows.desk import Desk
from app.ids import uuid7
from app.payments.values import GatewayRefused, GatewayUnavailable
from app.store import billing_accounts


async def add_card(desk: Desk, party: BilledParty) -> str:
    """Begin to save a card: the client secret with which the browser or app hands it to the provider.

    The card appears once the provider says so. Raises `PaymentUnavailable` when the provider can't be reached.
    """
    try:
        customer_id = await ensure_customer(desk, party)
        return await desk.gateway.create_setup_intent(customer_id, key=f"setup:{uuid7()}")
    except (GatewayUnavailable, GatewayRefused) as error:
        raise PaymentUnavailable from error


async def sync_cards(desk: Desk, workspace_id: UUID) -> None:
    """Mirror the provider's cards; where there are some and none is the default, the oldest becomes it.

    Nothing to do for a workspace that the provider doesn't know. Raises `GatewayUnavailable` to be tried again.
    """
    async with desk.database.read() as session:
        account = await billing_accounts.find(session, workspace_id)
    if account is None or account.customer_id is None:
        return
    wallet = await desk.gateway.wallet(account.customer_id)
    on_file = {card.id for card in wallet.cards}
    if wallet.cards and wallet.default_card_id not in on_file:
        await desk.gateway.set_default_card(account.customer_id, wallet.cards[0].id)
        wallet = await desk.gateway.wallet(account.customer_id)
    await transact(desk.database, lambda session: cards.mirror(session, workspace_id, wallet), step="cards.mirror")
