"""Somebody who subscribes by the API: begins on the page for a first paid plan, asks what changes would cost, and makes them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from app.clock import Clock
from app.store import billing_accounts as billing_account_store
from tests.support import operations
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

CREATE_CHECKOUT = (
    "mutation ($input: CreateCheckoutInput!) { createCheckout(input: $input) { url userErrors { code message path } } }"
)
SUBSCRIPTION = """fragment SubscriptionParts on Subscription {
  status plan { code } interval seats { total } addOns { addOn { code } quantity } currentPeriod { start end }
  pendingChange { kind plan { code } interval seats effectiveAt } version }"""
PREVIEW = """query ($input: SubscriptionChangeInput!) { subscriptionChangePreview(input: $input) {
  timing effectiveAt dueNow { amount currency } subtotal { amount } tax { amount } creditApplied { amount }
  lines { description quantity amount { amount } isProration period { start end } plan { code } addOn { code } }
  recurringPrice { amount currency } recurringTotal { amount } replaces { kind plan { code } seats effectiveAt }
  quote quoteExpiresAt userErrors { code message path } } }"""
CHANGE_PLAN = f"""mutation ($input: ChangePlanInput!) {{ changePlan(input: $input) {{
  subscription {{ ...SubscriptionParts }} {operations.ERRORS} }} }} {SUBSCRIPTION}"""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody, and the product they use."""

    backend: RunningBackend
    person: Person

    @property
    def now(self) -> datetime:
        """The product's time."""
        return self.backend.database.clock.now()

    async def begin(self, plan: str, *, card: str = "pm_card_visa", **wanted: object) -> dict[str, Any]:
        """Begin with a first paid plan, and return the subscription."""
        given = {"planCode": plan, "interval": "MONTH", **wanted}
        opened = await self._mutate(CREATE_CHECKOUT, "createCheckout", **given, idempotencyKey=uuid4().hex)
        assert opened["userErrors"] == []
        address = {"name": "An Owner", "line1": "Dam 1", "city": "Amsterdam", "postal_code": "1012JS", "country": "NL"}
        http = self.backend.api.http
        paid = await http.post(opened["url"], data={"card": card, **address}, follow_redirects=False)
        assert paid.status_code == 303, paid.text

        async def begun() -> dict[str, Any] | None:
            found = await self.subscription()
            return found if found["plan"]["code"] == plan else None

        found = await eventually(begun)
        assert found is not None
        return found

    async def subscription(self) -> dict[str, Any]:
        """The subscription as it stands."""
        document = f"query ($id: ID!) {{ workspace(id: $id) {{ subscription {{ ...SubscriptionParts }} }} }} {SUBSCRIPTION}"
        data = await self.backend.api.query(document, {"id": self.person.workspace}, token=self.person.token)
        return data["workspace"]["subscription"]

    async def preview(self, **wanted: object) -> dict[str, Any]:
        """What a change would come to."""
        given = {"workspaceId": self.person.workspace, **wanted}
        data = await self.backend.api.query(PREVIEW, {"input": given}, token=self.person.token)
        return data["subscriptionChangePreview"]

    async def change(self, plan: str, *, key: str | None = None, **wanted: object) -> dict[str, Any]:
        """The payload of a change of the plan and what belongs to it."""
        return await self._mutate(
            CHANGE_PLAN, "changePlan", planCode=plan, idempotencyKey=key or uuid4().hex, **wanted
        )

    async def paid(self) -> tuple[Decimal, Decimal]:
        """What was charged to cards in all, and what is owed: the customer's balance, below zero for credit."""
        charged = sum(charge["amount"] for charge in await self.backend.charges(self.person))
        customer = await self.backend.sandbox.fetched(f"/v1/customers/{await self.customer_id()}")
        return Decimal(charged) / 100, Decimal(customer["balance"]) / 100

    async def customer_id(self) -> str:
        """The workspace's customer at Stripe."""
        async with self.backend.database.read() as session:
            account = await billing_account_store.find(session, self.person.workspace_id)
        assert account is not None
        assert account.customer_id is not None
        return account.customer_id

    async def wait_until(self, moment: datetime) -> None:
        """Move the time forward to a moment, and let what falls due on the way happen."""
        seconds = -((self.now - moment) // timedelta(seconds=1))
        if seconds > 0:
            await self.backend.advance(f"PT{seconds}S")

    async def _mutate(self, document: str, mutation: str, **given: object) -> dict[str, Any]:
        variables = {"input": {"workspaceId": self.person.workspace, **given}}
        return (await self.backend.api.query(document, variables, token=self.person.token))[mutation]


class _StoppedClock(Clock):
    """A clock whose product time stands still; what happened at the provider by then lies before it."""

    stopped_at: datetime

    def now(self) -> datetime:
        return self.stopped_at


@contextmanager
def stopped(backend: RunningBackend, moment: datetime) -> Generator[None]:
    """Let the product's time stand at a moment meanwhile, so that amounts that depend on it can be worked out beforehand."""
    clock = backend.database.clock
    standing = _StoppedClock(clock.offset)
    standing.stopped_at = moment
    backend.database.clock = standing
    try:
        yield
    finally:
        clock.offset = standing.offset
        backend.database.clock = clock
