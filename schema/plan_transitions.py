"""What a workspace on a legacy plan can move to."""

from typing import Self

import strawberry

from app.accounts.access.workspace_access import WorkspaceAccess
from app.billing.moves.transitions import Transition
from resolvers import subscriptions
from resolvers.context import Info
from schema.catalog import Plan
from schema.money import Money


@strawberry.type(description="What a workspace on a legacy plan can move to, once and for good: see transitionPlan.")
class PlanTransition:
    access: strawberry.Private[WorkspaceAccess]
    from_plan: Plan = strawberry.field(name="from", description="The legacy plan that it is on.")
    to: Plan = strawberry.field(description="The plan that it can move to.")
    message: str = strawberry.field(description="What to tell, for people.")

    @strawberry.field(
        description=(
            "What would go back to the cards now for time that was paid for and not used, tax included, as Stripe says at this "
            "moment; null for nothing, as where nothing was paid by card. UNAVAILABLE, for this field alone, while Stripe does not "
            "answer. Null, without an error, for those without VIEW_BILLING."
        )
    )
    async def refund(self, info: Info) -> Money | None:
        refund = await subscriptions.refund_of_transition(info.context, self.access)
        return Money.of(refund) if refund is not None else None

    @classmethod
    def of(cls, transition: Transition, access: WorkspaceAccess, info: Info) -> Self:
        """The API's view of what a workspace can move to."""
        catalog = info.context.runtime.catalog
        return cls(
            access=access,
            from_plan=Plan.of(transition.origin, catalog),
            to=Plan.of(transition.target, catalog),
            message=transition.message,
        )
