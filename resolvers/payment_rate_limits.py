"""How often what costs money, or tries cards, may be begun. What begins nothing new (a replay, a refused form) does not count."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

from app.accounts.security.rate_limits import (
    Limit,
    check_limits_now,
    count_begun,
    count_failure,
    count_unless_refused,
    network_of,
)
from app.db.engine import Session
from resolvers.context import Context

T = TypeVar("T")

_CARDS_PER_WORKSPACE: Final = Limit("cards-per-workspace", 20, 3600)
_CARDS_PER_NETWORK: Final = Limit("cards-per-network", 40, 3600)
_CHARGES_PER_WORKSPACE: Final = Limit("recharges-per-workspace", 120, 3600)
_DETAILS_PER_WORKSPACE: Final = Limit("billing-details-per-workspace", 60, 3600)
_PORTALS_PER_WORKSPACE: Final = Limit("portals-per-workspace", 60, 3600)
_DECLINES_PER_WORKSPACE: Final = Limit("declines-per-workspace", 10, 3600)
_DECLINES_PER_NETWORK: Final = Limit("declines-per-network", 30, 3600)


async def limit_card_testing(context: Context, workspace_id: UUID, begin: Callable[[], Awaitable[T]]) -> T:
    """Begin to save a card, counted unless that is refused: then nobody got anything to try a card with.

    Raises `RateLimited` when there were too many: stolen cards are tried out by the hundred.
    """
    return await count_unless_refused(
        context.runtime.database,
        context.runtime.rate_limits,
        begin,
        (_CARDS_PER_WORKSPACE, str(workspace_id)),
        (_CARDS_PER_NETWORK, network_of(context.remote_address)),
    )


def charge_limits(context: Context, workspace_id: UUID) -> Callable[[Session], Awaitable[None]]:
    """What the unit of work that begins to charge a card has to call.

    It counts the charge, and raises `RateLimited` when there were too many, or too many that were declined.
    """

    async def count(session: Session) -> None:
        limits = context.runtime.rate_limits
        await check_limits_now(session, limits, *_declines(context, workspace_id))
        await count_begun(session, limits, (_CHARGES_PER_WORKSPACE, str(workspace_id)))

    return count


def details_limits(context: Context, workspace_id: UUID) -> Callable[[Session], Awaitable[None]]:
    """What the unit of work that changes billing details has to call; it raises `RateLimited`. Each may have a tax id looked up."""
    return _counting(context, (_DETAILS_PER_WORKSPACE, str(workspace_id)))


def portal_limits(context: Context, workspace_id: UUID) -> Callable[[Session], Awaitable[None]]:
    """What the unit of work that opens the provider's portal has to call; it raises `RateLimited`."""
    return _counting(context, (_PORTALS_PER_WORKSPACE, str(workspace_id)))


def _counting(context: Context, *uses: tuple[Limit, str]) -> Callable[[Session], Awaitable[None]]:
    async def count(session: Session) -> None:
        await count_begun(session, context.runtime.rate_limits, *uses)

    return count


async def note_decline(context: Context, workspace_id: UUID) -> None:
    """Count a card that was declined when it was charged: who goes on trying is testing cards."""
    await count_failure(context.runtime.database, context.runtime.rate_limits, *_declines(context, workspace_id))


def _declines(context: Context, workspace_id: UUID) -> tuple[tuple[Limit, str], ...]:
    return (
        (_DECLINES_PER_WORKSPACE, str(workspace_id)),
        (_DECLINES_PER_NETWORK, network_of(context.remote_address)),
    )
