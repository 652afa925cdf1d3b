"""What can be bought."""

from decimal import Decimal
from typing import Annotated, Self

import strawberry

from app import catalog as domain
from app import money
from app.catalog import BillingInterval, PlanKind
from app.ids import GlobalId
from resolvers.context import Info
from schema.enums import described
from schema.money import Money
from schema.node_interface import Node

described(
    PlanKind,
    "How a plan is sold.",
    {
        PlanKind.FREE: "Costs nothing.",
        PlanKind.PAY_AS_YOU_GO: "No recurring price: what is used is paid with credits.",
        PlanKind.STANDARD: "A recurring price.",
        PlanKind.ENTERPRISE: "Arranged with sales.",
    },
)
described(
    BillingInterval,
    "How often a plan is billed.",
    {BillingInterval.MONTH: "Once a month.", BillingInterval.YEAR: "Once a year."},
)


@strawberry.type(description="What credits are counted in.")
class CreditUnit:
    code: str = strawberry.field(description='Short and lasting, e.g. "tokens" or "USD".')
    name: str = strawberry.field(description="For people, in the plural.")
    decimals: int = strawberry.field(description="How many digits after the point an amount of credits may have.")

    @classmethod
    def of(cls, unit: money.CreditUnit) -> Self:
        """The API's view of the catalog's unit."""
        return cls(code=unit.code, name=unit.name, decimals=unit.decimals)


@strawberry.type(description="A fixed amount of credits at a fixed price.")
class CreditPack(Node):
    code: str = strawberry.field(description="What rechargeCredits takes as packCode.")
    name: str = strawberry.field(description="For people.")
    credits: Decimal = strawberry.field(description="How many credits it holds.")
    price: Money = strawberry.field(description="What it costs; before tax where tax comes on top.")

    @classmethod
    def of(cls, pack: domain.CreditPack, unit: money.CreditUnit) -> Self:
        """The API's view of a pack of the catalog."""
        return cls(
            id=strawberry.ID(str(GlobalId("CreditPack", pack.code))),
            code=pack.code,
            name=pack.name,
            credits=unit.from_steps(pack.credits),
            price=Money.of(pack.price),
        )


@strawberry.type(description="The bounds within which any amount of credits may be bought.")
class CustomRecharge:
    minimum: Money = strawberry.field(
        description="The least that may be paid at once, before tax where tax comes on top."
    )
    maximum: Money = strawberry.field(
        description="The most that may be paid at once, before tax where tax comes on top."
    )
    credits_per_currency_unit: Decimal = strawberry.field(description="Credits for each whole unit of the currency.")


@strawberry.type(description="Something that plans include, and that credits can be spent on.")
class UsageResource:
    code: str = strawberry.field(description="Short and lasting; what deductCredits takes as resource.")
    name: str = strawberry.field(description="For people, in the plural.")
    unit: str = strawberry.field(description="What one of it is, e.g. events or bytes.")
    is_gauge: bool = strawberry.field(
        description="True for a level, such as storage; false for what is counted, such as events."
    )
    description: str | None = strawberry.field(description="More about it, for people.")

    @classmethod
    def of(cls, resource: domain.Resource) -> Self:
        """The API's view of a resource of the catalog."""
        return cls(
            code=resource.code,
            name=resource.name,
            unit=resource.unit,
            is_gauge=resource.is_gauge,
            description=resource.description,
        )


@strawberry.type(description="What a plan includes of a resource in each usage period.")
class Allowance:
    resource: UsageResource = strawberry.field(description="What is included.")
    limit: Decimal | None = strawberry.field(description="How much of it; null means without limit.")
    credits_per_unit: Decimal | None = strawberry.field(
        description="What each unit past the limit costs in credits; null when credits can't pay for it."
    )


@strawberry.type(description="A counted extra, such as a phone number, with a price for each.")
class AddOn:
    code: str = strawberry.field(description="Short and lasting.")
    name: str = strawberry.field(description="For people.")
    monthly: Money = strawberry.field(description="What one costs a month on a monthly plan.")
    yearly: Money = strawberry.field(description="What one costs a year on a yearly plan.")

    @classmethod
    def of(cls, add_on: domain.AddOn) -> Self:
        """The API's view of an add-on of the catalog or of kept terms."""
        return cls(code=add_on.code, name=add_on.name, monthly=Money.of(add_on.monthly), yearly=Money.of(add_on.yearly))


@strawberry.type(description="The seats that come with a plan.")
class SeatPolicy:
    included: int = strawberry.field(description="Seats that are paid with the plan's base price.")
    minimum: int = strawberry.field(description="The fewest seats the plan is sold with.")
    maximum: int | None = strawberry.field(
        description="The most seats the plan is sold with; null where there is no bound."
    )
    is_per_seat: bool = strawberry.field(description="Whether each seat is billed.")


@strawberry.type(description="What a plan costs.")
class PlanPrice:
    interval: BillingInterval = strawberry.field(description="How often it is billed.")
    base: Money = strawberry.field(description="The part that does not depend on seats.")
    per_seat: Money = strawberry.field(description="For each seat; zero where seats are not billed.")


@strawberry.type(description="Something a workspace can be on, with what it costs and includes.")
class Plan(Node):
    code: str = strawberry.field(description="Short and lasting, such as team.")
    name: str = strawberry.field(description="For people.")
    description: str | None = strawberry.field(description="Whom it is for, for people.")
    kind: PlanKind = strawberry.field(description="How it is sold.")
    is_legacy: bool = strawberry.field(description="True for a plan that nobody can choose any more.")
    rank: int = strawberry.field(description="Higher is more: plans are listed by it.")
    prices: list[PlanPrice] = strawberry.field(description="By interval; empty for plans without a recurring price.")
    seats: SeatPolicy = strawberry.field(description="Its seats.")
    allowances: list[Allowance] = strawberry.field(description="What it includes of each resource.")
    add_ons: list[AddOn] = strawberry.field(description="The extras that are offered with it.")
    features: list[str] = strawberry.field(description="What it offers beyond numbers, for people.")
    requests_per_second: int | None = strawberry.field(
        description="For the host product to enforce; null means no limit."
    )
    monthly_spend_limit: Money | None = strawberry.field(
        description=(
            "The most that may be spent on credits in a calendar month, tax included; null means no limit. Refunds do not free it: "
            "what was charged counts until the month ends."
        )
    )
    trial_days: int | None = strawberry.field(description="How long its free trial lasts; null when there is none.")
    contact_url: str | None = strawberry.field(description="Where to talk to sales, for plans that are not self-serve.")

    @classmethod
    def of(cls, terms: domain.PlanTerms, catalog: domain.Catalog) -> Self:
        """The API's view of a plan, of today's catalog or of kept terms."""
        plan = terms.plan
        return cls(
            id=strawberry.ID(str(GlobalId("Plan", terms.id))),
            code=plan.code,
            name=plan.name,
            description=plan.description,
            kind=plan.kind,
            is_legacy=plan.is_legacy,
            rank=plan.rank,
            prices=[
                PlanPrice(interval=price.interval, base=Money.of(price.base), per_seat=Money.of(price.per_seat))
                for price in plan.prices
            ],
            seats=SeatPolicy(
                included=plan.seats.included,
                minimum=plan.seats.minimum,
                maximum=plan.seats.maximum,
                is_per_seat=plan.seats.is_per_seat,
            ),
            allowances=_allowances(plan, catalog),
            add_ons=[AddOn.of(each) for each in plan.add_ons],
            features=list(plan.features),
            requests_per_second=plan.requests_per_second,
            monthly_spend_limit=Money.of(plan.monthly_spend_limit) if plan.monthly_spend_limit else None,
            trial_days=plan.trial.days if plan.trial else None,
            contact_url=plan.contact_url,
        )


def _allowances(plan: domain.Plan, catalog: domain.Catalog) -> list[Allowance]:
    resources = {resource.code: resource for resource in catalog.resources}
    return [
        Allowance(
            resource=UsageResource.of(resources[allowance.resource]),
            limit=allowance.limit,
            credits_per_unit=allowance.credits_per_unit,
        )
        for allowance in plan.allowances
        if allowance.resource in resources
    ]


@strawberry.type(description="Everything that is on offer.")
class Catalog:
    catalog: strawberry.Private[domain.Catalog]
    name: str = strawberry.field(description="The product's name.")
    currency: str = strawberry.field(description="The one currency that everything is sold in: ISO 4217, upper case.")
    credit_unit: CreditUnit = strawberry.field(description="What credits are counted in.")
    credit_packs: list[CreditPack] = strawberry.field(
        description="The packs, in the catalog's order; empty where none are sold."
    )
    custom_recharge: CustomRecharge | None = strawberry.field(
        description="Set where any amount may be bought, not only packs."
    )
    resources: list[UsageResource] = strawberry.field(
        description="Everything that plans include and that credits can be spent on."
    )
    stripe_publishable_key: str = strawberry.field(description="For Stripe.js and the mobile SDKs.")
    prices_include_tax: bool = strawberry.field(
        description="Whether the prices shown include tax, or tax comes on top."
    )

    @strawberry.field(description="Every plan on offer, cheapest first; legacy plans only with includeLegacy.")
    def plans(
        self,
        include_legacy: Annotated[
            bool | None, strawberry.argument(description="Include plans that nobody can choose now.")
        ] = False,
    ) -> list[Plan]:
        offered = [plan for plan in self.catalog.plans if include_legacy or not plan.is_legacy]
        return [
            Plan.of(domain.plan_terms(self.catalog, plan), self.catalog)
            for plan in sorted(offered, key=lambda plan: plan.rank)
        ]

    @classmethod
    def of(cls, catalog: domain.Catalog, publishable_key: str) -> Self:
        """The API's view of the catalog."""
        custom = catalog.custom_recharge
        return cls(
            catalog=catalog,
            name=catalog.name,
            currency=catalog.currency,
            credit_unit=CreditUnit.of(catalog.credit_unit),
            credit_packs=[CreditPack.of(pack, catalog.credit_unit) for pack in catalog.packs],
            custom_recharge=CustomRecharge(
                minimum=Money.of(custom.minimum),
                maximum=Money.of(custom.maximum),
                credits_per_currency_unit=custom.credits_per_currency_unit,
            )
            if custom
            else None,
            resources=[UsageResource.of(resource) for resource in catalog.resources],
            stripe_publishable_key=publishable_key,
            prices_include_tax=catalog.prices_include_tax,
        )


@strawberry.type
class CatalogQuery:
    @strawberry.field(description="What can be bought: readable without signing in.")
    def catalog(self, info: Info) -> Catalog:
        runtime = info.context.runtime
        return Catalog.of(runtime.catalog, runtime.publishable_key)
