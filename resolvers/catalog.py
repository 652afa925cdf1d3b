"""What is and was sold: plans by the id of their terms."""

from __future__ import annotations

from app.billing.subscriptions.kept_terms import find_terms, terms_on_sale
from app.catalog import PlanTerms
from resolvers.context import Context


async def plan_terms(context: Context, terms_id: str) -> PlanTerms | None:
    """The terms with this id; what was ever sold is no secret."""
    catalog = context.runtime.catalog
    if (today := terms_on_sale(catalog, terms_id)) is not None:
        return today
    async with context.runtime.database.read() as session:
        return await find_terms(session, catalog, terms_id)
