"""Beginning, changing, canceling and keeping a subscription."""

from collections.abc import Callable
from typing import Annotated, Self
from uuid import UUID

import strawberry

from app.billing.subscriptions.planner import WantedChange
from app.billing.subscriptions.quotes import QUOTE_LASTS
from app.catalog import BillingInterval
from app.flows.subscriptions.checkout import OPEN_FOR
from app.wording import count, duration
from resolvers import subscription_mutations, subscriptions
from resolvers.context import Info
from resolvers.subscription_mutations import MOST_REASON_CHARACTERS, ChangeAnswer
from schema.input_texts import idempotency_key
from schema.subscription_inputs import AddOnQuantityInput, add_on_quantities
from schema.subscriptions import Subscription
from schema.user_errors import USER_ERRORS, UserError, answer, no_errors, user_error

_ADD_ONS = "How many of which add-ons; those that are not named stay as they are."
_QUOTE = (
    f"The quote of subscriptionChangePreview, good for {duration(QUOTE_LASTS)}: then exactly what it says is charged, or nothing, "
    "and PRICE_CHANGED is answered. Without one, what the change costs at this moment is charged."
)


@strawberry.input(description="The plan to begin with.")
class CreateCheckoutInput:
    workspace_id: strawberry.ID = strawberry.field(description="Who subscribes.")
    plan_code: str = strawberry.field(description="A plan of the catalog that has a recurring price.")
    interval: BillingInterval = strawberry.field(description="How often it is billed.")
    idempotency_key: str = strawberry.field(description=idempotency_key("answers with the same page"))
    seats: int | None = strawberry.field(
        default=None, description="How many seats, where they are sold; the fewest that the members need if absent."
    )
    add_ons: list[AddOnQuantityInput] | None = strawberry.field(
        default=None, description="How many of which add-ons; none if absent."
    )
    success_url: str | None = strawberry.field(default=None, description="Where the page leads to when it is paid.")
    cancel_url: str | None = strawberry.field(
        default=None, description="Where the page leads to when it is left without paying."
    )


@strawberry.input(description="What the plan is to become. What is absent stays as it is.")
class ChangePlanInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose plan it is.")
    plan_code: str = strawberry.field(description="The plan to change to, or the present one.")
    idempotency_key: str = strawberry.field(description=idempotency_key("changes and charges nothing twice"))
    interval: BillingInterval | None = strawberry.field(default=None, description="How often it is to be billed.")
    seats: int | None = strawberry.field(default=None, description="How many seats there are to be in all.")
    add_ons: list[AddOnQuantityInput] | None = strawberry.field(default=None, description=_ADD_ONS)
    quote: str | None = strawberry.field(default=None, description=_QUOTE)


@strawberry.input(description="How many seats there are to be.")
class ChangeSeatsInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose seats they are.")
    seats: int = strawberry.field(description="How many there are to be in all, never fewer than members hold.")
    idempotency_key: str = strawberry.field(description=idempotency_key("changes and charges nothing twice"))
    quote: str | None = strawberry.field(default=None, description=_QUOTE)


@strawberry.input(description="How many of an add-on there are to be.")
class SetAddOnQuantityInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose subscription it is.")
    add_on_code: str = strawberry.field(description="An add-on of the present plan.")
    quantity: int = strawberry.field(description="How many there are to be in all.")
    idempotency_key: str = strawberry.field(description=idempotency_key("changes and charges nothing twice"))
    expected_quantity: int | None = strawberry.field(
        default=None,
        description=(
            "How many you believe there are, with what is given up already taken off; CONFLICT where that is not so. Of many "
            "servers that count at the same time none overwrites the other then: who is told CONFLICT reads again."
        ),
    )
    quote: str | None = strawberry.field(default=None, description=_QUOTE)


@strawberry.input(description="Which subscription is to end.")
class CancelSubscriptionInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose subscription it is.")
    reason: str | None = strawberry.field(
        default=None,
        description=f"Why, for those who sell it: at most {count(MOST_REASON_CHARACTERS, 'character')}.",
    )


@strawberry.input(description="Which subscription is to go on as it is.")
class KeepSubscriptionInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose subscription it is.")


@strawberry.input(description="Which workspace leaves its legacy plan.")
class TransitionPlanInput:
    workspace_id: strawberry.ID = strawberry.field(description="Whose plan it is.")
    idempotency_key: str = strawberry.field(description=idempotency_key("moves and refunds nothing twice"))


@strawberry.type(description="Where to send the browser.")
class RedirectPayload:
    url: str | None = strawberry.field(
        default=None, description="The page's address; null where userErrors is not empty."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @classmethod
    def of(cls, url: str) -> Self:
        """The payload of success."""
        return cls(url=url)


@strawberry.type(description="The subscription as it is now.")
class SubscriptionPayload:
    workspace_id: strawberry.Private[UUID | None] = None
    user_errors: list[UserError] = strawberry.field(default_factory=no_errors, description=USER_ERRORS)

    @strawberry.field(
        description=(
            "The subscription, whether the change is made or waits; null where nothing was begun: userErrors says why."
        )
    )
    async def subscription(self, info: Info) -> Subscription | None:
        if self.workspace_id is None:
            return None
        return Subscription.of(await subscriptions.subscription_of(info.context, self.workspace_id), sees_billing=True)

    @classmethod
    def of(cls, changed: ChangeAnswer) -> Self:
        """The payload of a change that was begun."""
        errors = [user_error(changed.error)] if changed.error is not None else []
        return cls(workspace_id=changed.workspace_id, user_errors=errors)


@strawberry.type
class SubscriptionMutation:
    @strawberry.mutation(
        description=(
            "Opens a Stripe Checkout page for the first paid plan, which ends a free trial, and closes the one opened before; "
            "afterwards changePlan. It is "
            f"open for {duration(OPEN_FOR)}. Of two that are paid at once the second is canceled and refunded. Owners only."
        )
    )
    async def create_checkout(
        self, info: Info, input: Annotated[CreateCheckoutInput, strawberry.argument(description="What to begin with.")]
    ) -> RedirectPayload:
        return await answer(
            RedirectPayload,
            RedirectPayload.of,
            subscription_mutations.create_checkout(
                info.context,
                input.workspace_id,
                lambda: WantedChange(input.plan_code, input.interval, input.seats, add_on_quantities(input.add_ons)),
                success_url=input.success_url,
                cancel_url=input.cancel_url,
                idempotency_key=input.idempotency_key,
            ),
        )

    @strawberry.mutation(
        description=(
            "Changes the plan. What rises (a higher plan, yearly instead of monthly, more seats or add-ons) does so at once, and "
            "the rest of the period is charged now; if that payment is declined nothing changes, and if it needs the cardholder "
            "the change waits as pendingChange. What falls does so when the period ends; a lower plan makes all of it wait. "
            "Choosing the plan without a price cancels. Owners only."
        )
    )
    async def change_plan(
        self, info: Info, input: Annotated[ChangePlanInput, strawberry.argument(description="What it is to become.")]
    ) -> SubscriptionPayload:
        def wanted() -> WantedChange:
            return WantedChange(input.plan_code, input.interval, input.seats, add_on_quantities(input.add_ons))

        return await _change(info, input, "changePlan", wanted)

    @strawberry.mutation(
        description=(
            "Changes the number of seats: more at once, and the rest of the period is charged now; fewer when it ends. Owners only."
        )
    )
    async def change_seats(
        self, info: Info, input: Annotated[ChangeSeatsInput, strawberry.argument(description="How many.")]
    ) -> SubscriptionPayload:
        return await _change(info, input, "changeSeats", lambda: WantedChange(seats=input.seats))

    @strawberry.mutation(
        description=(
            "Changes how many there are of an add-on, such as a phone number: more at once, and the rest of the period is charged "
            "now; fewer when it ends. For owners, whose change takes the place of what is pending, and for keys with "
            "BILLING_WRITE: theirs goes to the present plan and to a pending one alike, and drops neither a downgrade nor a "
            "cancellation."
        )
    )
    async def set_add_on_quantity(
        self, info: Info, input: Annotated[SetAddOnQuantityInput, strawberry.argument(description="How many.")]
    ) -> SubscriptionPayload:
        work = subscription_mutations.set_add_on_quantity(
            info.context,
            input.workspace_id,
            input.add_on_code,
            input.quantity,
            expected=input.expected_quantity,
            quote=input.quote,
            idempotency_key=input.idempotency_key,
        )
        return await answer(SubscriptionPayload, SubscriptionPayload.of, work)

    @strawberry.mutation(
        description=(
            "Lets the subscription end with its period; then the workspace falls back to the plan without a price, and everything "
            "in it is kept. A pending downgrade is dropped. Until then keepSubscription takes it back. Owners only."
        )
    )
    async def cancel_subscription(
        self, info: Info, input: Annotated[CancelSubscriptionInput, strawberry.argument(description="Which one.")]
    ) -> SubscriptionPayload:
        work = subscription_mutations.cancel_at_period_end(info.context, input.workspace_id, input.reason)
        return await answer(SubscriptionPayload, SubscriptionPayload.of, work)

    @strawberry.mutation(
        description=(
            "Takes back what is pending: a cancellation, a downgrade, or an upgrade that waits for its payment, and what that one "
            "had displaced comes back. NO_CHANGE where nothing is pending. Owners only."
        )
    )
    async def keep_subscription(
        self, info: Info, input: Annotated[KeepSubscriptionInput, strawberry.argument(description="Which one.")]
    ) -> SubscriptionPayload:
        work = subscription_mutations.keep(info.context, input.workspace_id)
        return await answer(SubscriptionPayload, SubscriptionPayload.of, work)

    @strawberry.mutation(
        description=(
            "Leaves a legacy plan for the one that planTransition names: at once, and for good. A paid one ends without being "
            "billed again: time that was paid for by card and not used is refunded to that card, at most what was not refunded or "
            "disputed before; what is unpaid is called off. NO_CHANGE on any other plan, PAYMENT_PENDING while another change "
            "is under way. Owners only."
        )
    )
    async def transition_plan(
        self, info: Info, input: Annotated[TransitionPlanInput, strawberry.argument(description="Which one.")]
    ) -> SubscriptionPayload:
        work = subscription_mutations.transition(info.context, input.workspace_id, input.idempotency_key)
        return await answer(SubscriptionPayload, SubscriptionPayload.of, work)


async def _change(
    info: Info, input: ChangePlanInput | ChangeSeatsInput, mutation: str, wanted: Callable[[], WantedChange]
) -> SubscriptionPayload:
    return await answer(
        SubscriptionPayload,
        SubscriptionPayload.of,
        subscription_mutations.change(
            info.context,
            input.workspace_id,
            mutation,
            wanted,
            quote=input.quote,
            idempotency_key=input.idempotency_key,
        ),
    )
