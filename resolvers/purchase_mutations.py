"""Buying credits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import require_authenticated
from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.purchases.credit_movements import BalanceFull
from app.billing.purchases.spend_limits import SpendLimitReached
from app.db.engine import Session
from app.db.tables.purchases import CreditPurchaseRow
from app.errors import DomainError, PaymentDeclined
from app.flows.purchases.recharge import RechargeRequest, recharge
from app.ledger import ledger_reads
from app.ledger.movements import Key, Transaction
from resolvers import global_ids
from resolvers.billing_access import billing_authorization, require_payer
from resolvers.context import Context
from resolvers.payment_rate_limits import charge_limits, note_decline
from resolvers.return_urls import return_urls


@dataclass(frozen=True, slots=True)
class RechargeAnswer:
    """A purchase as it stands, and the error for the caller where it has not succeeded."""

    purchase: CreditPurchaseRow
    error: DomainError | None


async def recharge_credits(
    context: Context,
    workspace_global_id: str,
    *,
    pack_code: str | None,
    amount: Decimal | None,
    payment_method_id: str | None,
    success_url: str | None,
    cancel_url: str | None,
    idempotency_key: str,
) -> RechargeAnswer:
    """Buy credits, by pack or by amount, with a card on file or on a page to pay on."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    may_manage_billing = billing_authorization(context, workspace_id)

    async def authorize(session: Session) -> WorkspaceAccess:
        access = await may_manage_billing(session)
        await require_payer(session, context.caller)
        return access

    async with context.runtime.database.read() as session:
        await authorize(session)
    request = RechargeRequest(
        workspace_id,
        pack_code,
        amount,
        _card_of(workspace_id, payment_method_id),
        Key.of("rechargeCredits", idempotency_key).value,
        lambda: return_urls(context, success_url, cancel_url),
        actor_of(context.caller),
    )
    try:
        result = await recharge(context.runtime.flow_context, request, authorize, charge_limits(context, workspace_id))
    except (SpendLimitReached, BalanceFull) as refusal:
        refusal.path = ("input", "packCode" if amount is None else "amount")
        raise
    if isinstance(result.error, PaymentDeclined) and not result.is_replay:
        await note_decline(context, workspace_id)
    return RechargeAnswer(result.purchase, result.error)


async def crediting_transaction(context: Context, workspace_id: UUID, purchase_id: UUID) -> Transaction | None:
    """The transaction that credited a purchase, for callers whose rights were checked; None for one that was not credited."""
    return await ledger_reads.purchase_transaction(context.reads, workspace_id, purchase_id)


def _card_of(workspace_id: UUID, payment_method_id: str | None) -> UUID | None:
    if payment_method_id is None:
        return None
    card_workspace_id, card_id = global_ids.owned_id(payment_method_id, "PaymentMethod")
    # another workspace's card does not exist here: the look-up finds nothing in this one
    return card_id if card_workspace_id == workspace_id else UUID(int=0)
