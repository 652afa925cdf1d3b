"""What a change of a subscription would come to."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from app.billing.subscriptions.planner import ChangeTiming, WantedChange
from app.billing.subscriptions.quotes import QUOTE_LASTS
from app.catalog import BillingInterval
from app.wording import duration
from resolvers import subscription_previews
from resolvers.context import Info
from resolvers.subscription_previews import PreviewAnswer
from schema.enums import described
from schema.invoices import InvoiceLine
from schema.money import Money
from schema.subscription_inputs import AddOnQuantityInput, add_on_quantities
from schema.subscriptions import PendingChange
from schema.user_errors import UserError, answer, no_errors

described(
    ChangeTiming,
    "When a change of a subscription takes effect. What rises does so at once, what falls when the period ends.",
    {
        ChangeTiming.IMMEDIATE: "All of it at once.",
        ChangeTiming.PERIOD_END: "All of it when the present period ends. Until then everything stays.",
        ChangeTiming.MIXED: "What rises at once, what falls when the present period ends.",
    },
)


@strawberry.input(description="What to change. What is absent or null stays as it is.")
class SubscriptionChangeInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose subscription.")
    plan_code: str | None = strawberry.field(
        default=None, description="The plan to be on. The fallback plan ends the subscription when its period ends."
    )
    interval: BillingInterval | None = strawberry.field(default=None, description="How often it is to be billed.")
    seats: int | None = strawberry.field(
        default=None,
        description="How many seats there are to be. Absent: as many as now, within what the plan can have.",
    )
    add_ons: list[AddOnQuantityInput] | None = strawberry.field(
        default=None, description="The add-ons to set; those that are not named stay."
    )


@strawberry.type(
    description=(
        "What a change would come to. Amounts are Stripe's own, from a preview of the invoice with the very parameters that the "
        "change will use. They are null while userErrors is not empty."
    )
)
class SubscriptionChangePreview:
    timing: ChangeTiming | None = strawberry.field(default=None, description="When the change takes effect.")
    effective_at: datetime | None = strawberry.field(
        default=None, description="When the last part of the change takes effect."
    )
    due_now: Money | None = strawberry.field(
        default=None,
        description=(
            "Charged now, tax included and credit applied; zero for changes at the period's end. An amount too small to be charged "
            "is owed instead, and charged with the next invoice."
        ),
    )
    subtotal: Money | None = strawberry.field(default=None, description="The sum of the lines.")
    tax: Money | None = strawberry.field(
        default=None, description="The tax on it, whether the prices include it or not."
    )
    credit_applied: Money | None = strawberry.field(
        default=None, description="What the customer's credit with the seller would pay of it."
    )
    lines: list[InvoiceLine] = strawberry.field(
        default_factory=list[InvoiceLine],
        description="What would be billed now: unused time goes back, the rest of the period is charged.",
    )
    recurring_price: Money | None = strawberry.field(
        default=None, description="What recurs once all of it is in effect, at the plan's prices."
    )
    recurring_total: Money | None = strawberry.field(
        default=None, description="What recurs once all of it is in effect, tax included."
    )
    replaces: PendingChange | None = strawberry.field(
        default=None, description="The pending change that this one would drop; an upgrade drops it once it is paid."
    )
    quote: str | None = strawberry.field(
        default=None,
        description=(
            "Hand it to the mutation to be charged exactly this, or to be told PRICE_CHANGED. It holds for "
            f"{duration(QUOTE_LASTS)}, for this change of this version of the subscription. Null where nothing is charged now, "
            "and for a first paid plan."
        ),
    )
    quote_expires_at: datetime | None = strawberry.field(default=None, description="Until when the quote holds.")
    user_errors: list[UserError] = strawberry.field(
        default_factory=no_errors, description="Said when the change can't be made, and why; empty where it can."
    )

    @classmethod
    def of(cls, found: PreviewAnswer) -> Self:
        """The API's view of a preview."""
        preview = found.preview
        invoice, currency = preview.invoice, preview.recurring_price.currency
        return cls(
            timing=preview.timing,
            effective_at=preview.effective_at,
            due_now=Money.minor(invoice.due_minor if invoice else 0, currency),
            subtotal=Money.minor(invoice.subtotal_minor if invoice else 0, currency),
            tax=Money.minor(invoice.tax_minor if invoice else 0, currency),
            credit_applied=Money.minor(invoice.credit_applied_minor if invoice else 0, currency),
            lines=[InvoiceLine.of(line, currency) for line in preview.lines],
            recurring_price=Money.of(preview.recurring_price),
            recurring_total=Money.of(preview.recurring_total),
            replaces=PendingChange.of(preview.replaces, found.workspace_id, sees_billing=True)
            if preview.replaces is not None
            else None,
            quote=preview.quote,
            quote_expires_at=preview.quote_expires_at,
        )


@strawberry.type
class SubscriptionPreviewQuery:
    @strawberry.field(
        description=(
            "What a change of a subscription would come to; for a workspace without one, what its first paid plan would. Nothing "
            "is charged or changed. Owners, and keys with BILLING_WRITE. UNAVAILABLE while Stripe can't be reached."
        )
    )
    async def subscription_change_preview(
        self, info: Info, input: Annotated[SubscriptionChangeInput, strawberry.argument(description="The change.")]
    ) -> SubscriptionChangePreview:
        def wanted() -> WantedChange:
            return WantedChange(input.plan_code, input.interval, input.seats, add_on_quantities(input.add_ons))

        return await answer(
            SubscriptionChangePreview,
            SubscriptionChangePreview.of,
            subscription_previews.preview_change(info.context, input.workspace_id, wanted),
        )
