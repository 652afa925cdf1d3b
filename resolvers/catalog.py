"""What is and was sold: plans by the id of their terms."""

from __future__ import annotations

from app.billing.subscriptions.kept_terms import find_terms
from app.catalog import PlanTerms
from resolvers.context import Context
from resolvers.workspaces import workspace_by_id


async def plan_terms(context: Context, terms_id: str) -> PlanTerms | None:
    """The terms with this id. What was ever sold to everybody is no secret; what was made for one workspace is its own.

    Raises what `workspace_by_id` does for terms of a workspace that the caller may not see.
    """
    terms = await find_terms(context.reads, context.runtime.catalog, terms_id)
    if terms is not None and terms.workspace_id is not None:
        await workspace_by_id(context, terms.workspace_id)
    return terms
