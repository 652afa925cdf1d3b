"""Moving credits for the host product: giving, spending, setting aside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
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
from app.errors import DomainError, IdempotencyConflict, InvalidInput, NotFound
from app.ledger import ledger_reads
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import (
    Capture,
    Grant,
    Hold,
    HoldState,
    InsufficientCredits,
    Key,
    Movement,
    Posted,
    Release,
    Spend,
    Transaction,
)
from app.ledger.post_movements import post_one
from app.metering.subjects import checked_subject, known_subject, subject_ids
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
    key = Key.of("grantCredits", idempotency_key, _written(amount), source, description, expires_at)

    def judged(now: datetime) -> Grant:
        if source not in (Source.PROMOTION, Source.ADJUSTMENT):
            raise InvalidInput("The source must be PROMOTION or ADJUSTMENT.", path=("input", "source"))
        if expires_at is not None and expires_at <= now:
            raise InvalidInput("The expiry must lie in the future.", path=("input", "expiresAt"))
        return Grant(
            workspace_id=workspace_id,
            amount=unit.to_steps(_positive(amount), path=("input", "amount")),
            source=source,
            description=_described(description),
            expires_at=expires_at,
            key=key,
        )

    async def work(session: Session) -> Posted:
        await workspace_for(session, context.caller, workspace_id, scope=ApiScope.OPERATOR, lock=True)
        earlier = await ledger_reads.done_before(session, workspace_id, key)
        posted = earlier or await post_one(session, judged(session.now))
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
    subject: str | None,
    idempotency_key: str,
) -> Transaction:
    """Spend credits for the host product."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    subject_id = await _check_scope_and_find(context, workspace_id, subject)
    # an input without a subject has the hash that it had before there were subjects: its key may have been used then
    named = (subject,) if subject is not None else ()
    key = Key.of("deductCredits", idempotency_key, _written(amount), description, resource, *named)

    def judged() -> Spend:
        _check_use(context, resource, subject)
        return Spend(
            workspace_id=workspace_id,
            amount=context.runtime.catalog.credit_unit.to_steps(_positive(amount), path=("input", "amount")),
            description=_described(description),
            resource=resource,
            subject_id=subject_id,
            key=key,
        )

    return (await _with_paths(context, _submit(context, workspace_id, key, judged, subject))).transaction


async def hold_credits(
    context: Context,
    workspace_global_id: str,
    *,
    amount: Decimal,
    description: str,
    resource: str | None,
    subject: str | None,
    expires_in_seconds: int | None,
    idempotency_key: str,
) -> HoldMovement:
    """Set credits aside for the host product."""
    require_authenticated(context.caller)
    workspace_id = global_ids.workspace_id(workspace_global_id)
    unit = context.runtime.catalog.credit_unit
    subject_id = await _check_scope_and_find(context, workspace_id, subject)
    if expires_in_seconds is None:
        expires_in_seconds = int(USUAL_HOLD.total_seconds())
    # an input without either has the hash that it had before holds had a use: its key may have been used then
    use = (resource, subject) if (resource, subject) != (None, None) else ()
    key = Key.of("holdCredits", idempotency_key, _written(amount), description, expires_in_seconds, *use)

    def judged() -> Hold:
        _check_use(context, resource, subject)
        longest_seconds = int(LONGEST_HOLD.total_seconds())
        if not 1 <= expires_in_seconds <= longest_seconds:
            raise InvalidInput(f"A hold lasts from 1 to {longest_seconds} seconds.", path=("input", "expiresInSeconds"))
        return Hold(
            workspace_id=workspace_id,
            amount=unit.to_steps(_positive(amount), path=("input", "amount")),
            expires_at=context.runtime.database.clock.now() + timedelta(seconds=expires_in_seconds),
            description=_described(description),
            resource=resource,
            subject_id=subject_id,
            key=key,
        )

    return _held(await _with_paths(context, _submit(context, workspace_id, key, judged, subject)))


async def capture_hold(context: Context, hold_id: str, *, amount: Decimal, idempotency_key: str) -> HoldMovement:
    """Spend up to the amount of an open hold, once; the rest returns."""
    require_authenticated(context.caller)
    workspace_id, row_id = global_ids.owned_id(hold_id, "CreditHold")
    await _check_scope(context, workspace_id, ApiScope.CREDITS_WRITE)
    key = Key.of("captureHold", idempotency_key, row_id, _written(amount))

    def judged() -> Capture:
        if amount < 0:
            raise InvalidInput("The amount must not be negative.", path=("input", "amount"))
        return Capture(
            workspace_id=workspace_id,
            hold_id=row_id,
            amount=context.runtime.catalog.credit_unit.to_steps(amount, path=("input", "amount")),
            key=key,
        )

    return _held(await _with_paths(context, _submit(context, workspace_id, key, judged)))


async def release_hold(context: Context, hold_id: str) -> HoldMovement:
    """End an open hold unused."""
    require_authenticated(context.caller)
    workspace_id, row_id = global_ids.owned_id(hold_id, "CreditHold")
    await _check_scope(context, workspace_id, ApiScope.CREDITS_WRITE)
    return _held(await context.runtime.committer.submit(Release(workspace_id=workspace_id, hold_id=row_id)))


async def _check_scope(context: Context, workspace_id: UUID, scope: ApiScope) -> None:
    """Before the input is looked at: who may not do it learns nothing of what is wrong with it."""
    await workspace_seen_by(context.reads, context.caller, workspace_id, scope=scope)


async def _check_scope_and_find(context: Context, workspace_id: UUID, subject: str | None) -> UUID | None:
    """`_check_scope` for spending, and beside it, in the same round trip, the id that the subject has by now."""
    found, _ = await asyncio.gather(
        known_subject(context.reads, workspace_id, subject),
        _check_scope(context, workspace_id, ApiScope.CREDITS_WRITE),
    )
    return found


def _check_use(context: Context, resource: str | None, subject: str | None) -> None:
    if resource is not None and context.runtime.catalog.resource(resource) is None:
        raise credit_movements.UnknownResource(path=("input", "resource"))
    checked_subject(subject, path=("input", "subject"))


async def _submit(
    context: Context, workspace_id: UUID, key: Key, judged: Callable[[], Movement], subject: str | None = None
) -> Posted:
    """Post the movement that `judged` makes of the input, or answer with what its key did before.

    The ledger looks the key up before it judges a movement. Input that makes no movement today (the catalog has changed, say) is
    looked up here before it is refused; and one that names a new `subject` before that is made, since it may be one that was erased
    since the key was used.
    """
    try:
        movement = judged()
    except DomainError:
        if (earlier := await _done_before(context, workspace_id, key)) is None:
            raise
        return earlier
    name = checked_subject(subject)
    if name is not None and isinstance(movement, Spend | Hold) and movement.subject_id is None:
        if (earlier := await _done_before(context, workspace_id, key)) is not None:
            return earlier
        movement = replace(movement, subject_id=await _new_subject(context, workspace_id, name))
    return await context.runtime.committer.submit(movement)


async def _done_before(context: Context, workspace_id: UUID, key: Key) -> Posted | None:
    async with context.runtime.database.read() as session:
        return await ledger_reads.done_before(session, workspace_id, key)


async def _new_subject(context: Context, workspace_id: UUID, name: str) -> UUID:
    named = (workspace_id, name)
    ids = await transact(context.runtime.database, lambda session: subject_ids(session, [named]), step="subject")
    if named not in ids:
        raise NotFound
    return ids[named]


def _written(amount: Decimal) -> Decimal:
    """The amount as an idempotency key remembers it: `5` and `5.0` are the same input."""
    normal = amount.normalize()
    # it rounds a number with more digits than any amount has
    return normal if normal == amount else amount


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
