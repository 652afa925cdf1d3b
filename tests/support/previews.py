"""What changes of subscriptions would come to, asked for by the API, and what was then charged."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.clock import Clock
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import customer_of, provider_id

PREVIEW = """query ($input: SubscriptionChangeInput!) { subscriptionChangePreview(input: $input) {
  timing effectiveAt dueNow { amount currency } subtotal { amount } tax { amount } creditApplied { amount }
  lines { description quantity amount { amount } isProration period { start end } plan { code } addOn { code } }
  recurringPrice { amount currency } recurringTotal { amount }
  replaces { kind plan { code } interval seats effectiveAt }
  quote quoteExpiresAt userErrors { code message path } } }"""


async def preview(backend: RunningBackend, person: Person, **wanted: object) -> dict[str, Any]:
    """What a change would come to."""
    given = {"workspaceId": person.workspace, **wanted}
    data = await backend.api.query(PREVIEW, {"input": given}, token=person.token)
    return data["subscriptionChangePreview"]


def period_of(subscription: dict[str, Any]) -> tuple[datetime, datetime]:
    """The start and the end of a subscription's period."""
    period = subscription["currentPeriod"]
    return datetime.fromisoformat(period["start"]), datetime.fromisoformat(period["end"])


async def balance(backend: RunningBackend, person: Person) -> int:
    """What the customer owes the seller, in the currency's smallest unit: below zero it is credit."""
    customer = await backend.sandbox.fetched(f"/v1/customers/{await customer_of(backend, person)}")
    return customer["balance"]


async def charged(backend: RunningBackend, person: Person) -> int:
    """What the person's cards were charged in all, in the currency's smallest unit."""
    return sum(charge["amount"] for charge in await backend.charges(person))


async def charge_to(backend: RunningBackend, person: Person, card: str) -> None:
    """Save another test card as the default one, and wait until the subscription is charged to it."""
    before = await _own_card(backend, person)
    added = await backend.add_card(person, card)
    await backend.api.query(
        "mutation ($input: IdInput!) { setDefaultPaymentMethod(input: $input) { userErrors { code } } }",
        {"input": {"id": added}},
        token=person.token,
    )

    async def is_charged_to_another() -> bool:
        return await _own_card(backend, person) != before

    await eventually(is_charged_to_another)


async def _own_card(backend: RunningBackend, person: Person) -> str | None:
    found = await backend.sandbox.fetched(f"/v1/subscriptions/{await provider_id(backend, person)}")
    return found["default_payment_method"]


async def wait_until(backend: RunningBackend, moment: datetime) -> None:
    """Move the time forward to a moment, and let what falls due on the way happen."""
    seconds = -((backend.database.clock.now() - moment) // timedelta(seconds=1))
    if seconds > 0:
        await backend.advance(f"PT{seconds}S")


async def jump_to(backend: RunningBackend, moment: datetime) -> None:
    """Move the time forward to a moment at once, however much would have been looked at on the way."""
    clock = backend.database.clock
    await backend.sandbox.move_to(moment)
    clock.offset = max(clock.offset, moment - clock.real_now())


@contextmanager
def time_stands_at(moment: datetime) -> Generator[None]:
    """Let the product's time stand meanwhile at a moment that the provider has passed already.

    So amounts that depend on the moment of a change, to the second, can be worked out beforehand.
    """

    def standing(_: Clock) -> datetime:
        return moment

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clock, "now", standing)
        yield
