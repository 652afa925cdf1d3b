"""What is and was sold: plans by the id of their terms."""

from __future__ import annotations

from app.billing.subscriptions.kept_terms import as_terms, may_name_terms, terms_on_sale
from app.catalog import PlanTerms
from app.store import plan_terms as plan_terms_store
from resolvers.context import Context


async def plan_terms(context: Context, terms_id: str) -> PlanTerms | None:
    """The terms with this id; what was ever sold is no secret."""
    today = terms_on_sale(context.runtime.catalog, terms_id)
    if today is not None or not may_name_terms(terms_id):
        return today
    kept = await context.reads.one_of(plan_terms_store.TERMS, terms_id)
    return as_terms(kept) if kept is not None else None
