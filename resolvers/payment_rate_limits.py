"""How often what costs money, or tries cards, may be asked for."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from app.accounts.security.rate_limits import Limit, check_limits, count_attempt, count_failure, network_of
from resolvers.context import Context

_CARDS_PER_WORKSPACE: Final = Limit("cards-per-workspace", 20, 3600)
_CARDS_PER_NETWORK: Final = Limit("cards-per-network", 40, 3600)
_RECHARGES_PER_WORKSPACE: Final = Limit("recharges-per-workspace", 120, 3600)
_DECLINES_PER_WORKSPACE: Final = Limit("declines-per-workspace", 10, 3600)
_DECLINES_PER_NETWORK: Final = Limit("declines-per-network", 30, 3600)


async def limit_card_testing(context: Context, workspace_id: UUID) -> None:
    """Count an attempt to save a card; raises `RateLimited` when there were too many: stolen cards are tried out by the hundred."""
    await count_attempt(
        context.runtime.database,
        context.runtime.rate_limits,
        (_CARDS_PER_WORKSPACE, str(workspace_id)),
        (_CARDS_PER_NETWORK, network_of(context.remote_address)),
    )


async def limit_recharges(context: Context, workspace_id: UUID) -> None:
    """Count an attempt to charge a card; raises `RateLimited` when there were too many, or too many that were declined."""
    await check_limits(context.runtime.database, context.runtime.rate_limits, *_declines(context, workspace_id))
    await count_attempt(
        context.runtime.database, context.runtime.rate_limits, (_RECHARGES_PER_WORKSPACE, str(workspace_id))
    )


async def note_decline(context: Context, workspace_id: UUID) -> None:
    """Count a card that was declined when it was charged: who goes on trying is testing cards."""
    await count_failure(context.runtime.database, context.runtime.rate_limits, *_declines(context, workspace_id))


def _declines(context: Context, workspace_id: UUID) -> tuple[tuple[Limit, str], ...]:
    return (
        (_DECLINES_PER_WORKSPACE, str(workspace_id)),
        (_DECLINES_PER_NETWORK, network_of(context.remote_address)),
    )
