"""Moving credits for the host product: giving, spending, setting aside."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from app.accounts.access.audit_log import actor_of
from app.accounts.access.callers import require_authenticated
from app.accounts.access.permissions import ApiScope
from app.accounts.access.workspace_access import workspace_for, workspace_seen_by
from app.billing.purchases import credit_movements
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.errors import IdempotencyConflict, InvalidInput
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import (
    Capture,
    Grant,
    Hold,
    HoldState,
    InsufficientCredits,
    Key,
    Posted,
    Release,
    Spend,
    Transaction,
)
from app.ledger.post_movements import post_one
from resolvers import global_ids
from resolvers.context import Context

T = TypeVar("T")

MOST_DESCRIPTION_CHARACTERS = 500
USUAL_HOLD = timedelta(minutes=10)
# a hold is for work under way, and none takes longer than this
LONGEST_HOLD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class HoldMovement:
    """A movement of a hold, and the hold as it is now."""

    transaction: Transaction
    hold: HoldState


async def grant_credits(
    context: Context,
    workspace_global_id: str,
    *,
    amount: Decimal,
    source: Source,
    description: str,
    expires_at: datetime | None,
    idempotency_key: str,
) -> Transaction:
    """Give credits, as an operator: a promotion or an adjustment."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    unit = context.runtime.catalog.credit_unit
    await _check_scope(context, workspace_id, ApiScope.OPERATOR)
    if source not in (Source.PROMOTION, Source.ADJUSTMENT):
        raise InvalidInput("The source must be PROMOTION or ADJUSTMENT.", path=("input", "source"))

    async def work(session: Session) -> Posted:
        await workspace_for(session, context.caller, workspace_id, scope=ApiScope.OPERATOR, lock=True)
        if expires_at is not None and expires_at <= session.now:
            raise InvalidInput("The expiry must lie in the future.", path=("input", "expiresAt"))
        posted = await post_one(
            session,
            Grant(
                workspace_id=workspace_id,
                amount=unit.to_steps(_positive(amount), path=("input", "amount")),
                source=source,
                description=_described(description),
                expires_at=expires_at,
                key=Key.of("grantCredits", idempotency_key, amount.normalize(), source, description, expires_at),
            ),
        )
        if not posted.is_replay:
            await credit_movements.record_grant(session, unit, actor_of(context.caller), posted, source)
        return posted

    posted = await _with_paths(context, transact(context.runtime.database, work, step="grant"))
    return posted.transaction


async def deduct_credits(
    context: Context,
    workspace_global_id: str,
    *,
    amount: Decimal,
    description: str,
    resource: str | None,
    idempotency_key: str,
) -> Transaction:
    """Spend credits for the host product."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    catalog = context.runtime.catalog
    await _check_scope(context, workspace_id, ApiScope.CREDITS_WRITE)
    if resource is not None and catalog.resource(resource) is None:
        raise credit_movements.UnknownResource(path=("input", "resource"))
    spend = Spend(
        workspace_id=workspace_id,
        amount=catalog.credit_unit.to_steps(_positive(amount), path=("input", "amount")),
        description=_described(description),
        resource=resource,
        key=Key.of("deductCredits", idempotency_key, amount.normalize(), description, resource),
    )
    return (await _with_paths(context, context.runtime.committer.submit(spend))).transaction


async def hold_credits(
    context: Context,
    workspace_global_id: str,
    *,
    amount: Decimal,
    description: str,
    expires_in_seconds: int | None,
    idempotency_key: str,
) -> HoldMovement:
    """Set credits aside for the host product."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    unit = context.runtime.catalog.credit_unit
    await _check_scope(context, workspace_id, ApiScope.CREDITS_WRITE)
    if expires_in_seconds is None:
        expires_in_seconds = int(USUAL_HOLD.total_seconds())
    longest_seconds = int(LONGEST_HOLD.total_seconds())
    if not 1 <= expires_in_seconds <= longest_seconds:
        raise InvalidInput(f"A hold lasts from 1 to {longest_seconds} seconds.", path=("input", "expiresInSeconds"))
    hold = Hold(
        workspace_id=workspace_id,
        amount=unit.to_steps(_positive(amount), path=("input", "amount")),
        expires_at=context.runtime.database.clock.now() + timedelta(seconds=expires_in_seconds),
        description=_described(description),
        key=Key.of("holdCredits", idempotency_key, amount.normalize(), description, expires_in_seconds),
    )
    return _held(await _with_paths(context, context.runtime.committer.submit(hold)))


async def capture_hold(context: Context, hold_id: str, *, amount: Decimal, idempotency_key: str) -> HoldMovement:
    """Spend up to the amount of an open hold, once; the rest returns."""
    require_authenticated(context.caller)
    workspace_id, row_id = global_ids.owned_id(hold_id, "CreditHold")
    await _check_scope(context, workspace_id, ApiScope.CREDITS_WRITE)
    if amount < 0:
        raise InvalidInput("The amount must not be negative.", path=("input", "amount"))
    capture = Capture(
        workspace_id=workspace_id,
        hold_id=row_id,
        amount=context.runtime.catalog.credit_unit.to_steps(amount, path=("input", "amount")),
        key=Key.of("captureHold", idempotency_key, row_id, amount.normalize()),
    )
    return _held(await _with_paths(context, context.runtime.committer.submit(capture)))


async def release_hold(context: Context, hold_id: str) -> HoldMovement:
    """End an open hold unused."""
    require_authenticated(context.caller)
    workspace_id, row_id = global_ids.owned_id(hold_id, "CreditHold")
    await _check_scope(context, workspace_id, ApiScope.CREDITS_WRITE)
    return _held(await context.runtime.committer.submit(Release(workspace_id=workspace_id, hold_id=row_id)))


async def _check_scope(context: Context, workspace_id: UUID, scope: ApiScope) -> None:
    """Before the input is looked at: who may not do it learns nothing of what is wrong with it."""
    await workspace_seen_by(context.reads, context.caller, workspace_id, scope=scope)


def _held(posted: Posted) -> HoldMovement:
    if posted.hold is None:
        raise LookupError("a movement of a hold answered without the hold")
    return HoldMovement(posted.transaction, posted.hold)


async def _with_paths(context: Context, work: Awaitable[T]) -> T:
    """`work`, whose refusals point at the field at fault, and say how many credits there are in the catalog's unit."""
    try:
        return await work
    except InsufficientCredits as refusal:
        pointed = refusal.in_unit(context.runtime.catalog.credit_unit)
        pointed.path = ("input", "amount")
        raise pointed from None
    except IdempotencyConflict as refusal:
        refusal.path = ("input", "idempotencyKey")
        raise
    except InvalidInput as refusal:
        refusal.path = refusal.path or ("input", "amount")
        raise


def _positive(amount: Decimal) -> Decimal:
    if amount <= 0:
        raise InvalidInput("The amount must be above zero.", path=("input", "amount"))
    return amount


def _described(description: str) -> str:
    text = description.strip()
    if not 1 <= len(text) <= MOST_DESCRIPTION_CHARACTERS:
        raise InvalidInput(
            f"A description has 1 to {MOST_DESCRIPTION_CHARACTERS} characters.", path=("input", "description")
        )
    return text
