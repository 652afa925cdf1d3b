"""What is and was sold: plans by the id of their terms."""

from __future__ import annotations

from app.billing.subscriptions.kept_terms import find_terms
from app.catalog import PlanTerms
from resolvers.context import Context


async def plan_terms(context: Context, terms_id: str) -> PlanTerms | None:
    """The terms with this id; what was ever sold is no secret."""
    return await find_terms(context.reads, context.runtime.catalog, terms_id)
