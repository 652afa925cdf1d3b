"""A day on which support staff work in Stripe's dashboard, in any order, beside purchases: it ends well for everybody."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from app.asgi.stripe_events import EVENTS_PATH
from app.flows import provider_events
from app.flows.provider.event_endpoint import ensure_event_endpoint
from app.ledger.verify import verify
from app.payments.stripe_event_types import EVENT_TYPES
from tests.support import operations
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend, running_backend

_SEEDS: Final = (1, 2, 3)
_STEPS: Final = 20
_CARDS: Final = ("pm_card_visa", "pm_card_mastercard", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
_KEY: Final = {"authorization": "Bearer sk_test_sandbox"}
_STUCK: Final = """
SELECT 'purchase ' || id || ' is ' || status FROM credit_purchases
WHERE status IN ('PENDING', 'ACTION_REQUIRED') OR next_look_at IS NOT NULL
UNION ALL SELECT 'event ' || id || ' of ' || type FROM provider_events WHERE processed_at IS NULL
UNION ALL SELECT 'refund ' || id || ' is ' || status FROM refunds WHERE next_look_at IS NOT NULL
"""
_GRANTED: Final = """
SELECT id, credits - reclaimed_credits AS left FROM credit_purchases WHERE charged_at IS NOT NULL
"""

Deed = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Day:
    """Some customers, and staff who do things to what Stripe has of them; `chance` decides what happens next."""

    backend: RunningBackend
    chance: random.Random
    people: list[Person]
    done: list[str] = field(default_factory=list[str])
    running: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    async def happens(self) -> None:
        """One thing or another."""
        deeds: Sequence[tuple[int, Deed]] = (
            (8, self.somebody_buys),
            (3, self.somebody_saves_a_card),
            (2, self.somebody_pays_on_a_page),
            (2, self.somebody_answers_the_bank),
            (2, self.staff_delete_a_customer),
            (3, self.staff_change_a_card),
            (4, self.staff_change_an_invoice),
            (3, self.staff_refund),
            (3, self.staff_archive_something),
            (2, self.staff_change_the_endpoint),
            (2, self.events_are_delivered_another_way),
            (1, self.the_worker_looks),
        )
        [deed] = self.chance.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])
        self.done.append(deed.__name__)
        # staff are told no where something can't be done any more
        with suppress(httpx.HTTPStatusError):
            await deed()

    async def somebody_buys(self) -> None:
        person = self.chance.choice(self.people)

        async def buy() -> None:
            await self.backend.recharge(person)

        task = asyncio.create_task(buy())
        self.running.append(task)
        if self.chance.random() < 0.5:
            await task

    async def somebody_saves_a_card(self) -> None:
        person = self.chance.choice(self.people)
        given = {"input": {"workspaceId": person.workspace}}
        begun = (await self.backend.api.query(operations.ADD_CARD, given, token=person.token))["addPaymentMethod"]
        if begun["clientSecret"] is not None:
            await self.backend.sandbox.confirm_setup(
                begun["clientSecret"], self.chance.choice(_CARDS), "pk_test_sandbox"
            )

    async def somebody_pays_on_a_page(self) -> None:
        if page := await self._any("/v1/checkout/sessions", status="open"):
            await self.backend.api.http.post(page["url"], data={"card": self.chance.choice(_CARDS)})

    async def somebody_answers_the_bank(self) -> None:
        waiting = [each for each in await self._all("/v1/payment_intents") if each["status"] == "requires_action"]
        if waiting:
            page = self.chance.choice(waiting)["next_action"]["redirect_to_url"]["url"]
            await self.backend.api.http.post(page, data={"outcome": self.chance.choice(("complete", "fail"))})

    async def staff_delete_a_customer(self) -> None:
        if customer := await self._any("/v1/customers"):
            await self._delete(f"/v1/customers/{customer['id']}")

    async def staff_change_a_card(self) -> None:
        customer = await self._any("/v1/customers")
        if customer is None:
            return
        cards = await self._all(f"/v1/customers/{customer['id']}/payment_methods")
        card = self.chance.choice(cards)["id"] if cards else None
        what = self.chance.choice(("attach", "detach", "update", "renew"))
        if what == "attach" or card is None:
            token = self.chance.choice(_CARDS)
            await self.backend.sandbox.post(f"/v1/payment_methods/{token}/attach", customer=customer["id"])
        elif what == "detach":
            await self.backend.sandbox.post(f"/v1/payment_methods/{card}/detach")
        elif what == "update":
            await self.backend.sandbox.post(f"/v1/payment_methods/{card}", **{"card[exp_year]": "2049"})
        else:
            url = f"{self.backend.sandbox.url}/_sandbox/payment_methods/{card}/renew"
            (await self.backend.api.http.post(url, json={})).raise_for_status()

    async def staff_change_an_invoice(self) -> None:
        invoices = [each for each in await self._all("/v1/invoices") if each["status"] not in ("paid", "void")]
        if not invoices:
            return
        path = f"/v1/invoices/{self.chance.choice(invoices)['id']}"
        what = self.chance.choice(("void", "mark_uncollectible", "pay", "out of band", "delete"))
        if what == "delete":
            await self._delete(path)
        elif what == "out of band":
            await self.backend.sandbox.post(f"{path}/pay", paid_out_of_band="true")
        else:
            await self.backend.sandbox.post(f"{path}/{what}")

    async def staff_refund(self) -> None:
        charges = [each for each in await self._all("/v1/charges") if each["paid"] and not each["refunded"]]
        if charges:
            charge = self.chance.choice(charges)
            left = charge["amount"] - charge["amount_refunded"]
            amount = left if self.chance.random() < 0.5 else self.chance.randint(1, left)
            await self.backend.sandbox.post("/v1/refunds", charge=charge["id"], amount=str(amount))

    async def staff_archive_something(self) -> None:
        path = self.chance.choice(("/v1/prices", "/v1/products", "/v1/tax_rates"))
        if found := await self._any(path, active="true"):
            await self.backend.sandbox.post(f"{path}/{found['id']}", active="false")

    async def staff_change_the_endpoint(self) -> None:
        if endpoint := await self._any("/v1/webhook_endpoints"):
            path = f"/v1/webhook_endpoints/{endpoint['id']}"
            what = self.chance.choice(("delete", "disable", "events"))
            if what == "delete":
                await self._delete(path)
            elif what == "disable":
                await self.backend.sandbox.post(path, disabled="true")
            else:
                await self.backend.sandbox.post(path, **{"enabled_events[0]": "invoice.paid"})

    async def events_are_delivered_another_way(self) -> None:
        await self.backend.sandbox.deliver(self.chance.choice(("normal", "drop", "shuffle", "duplicate", "hold")))

    async def the_worker_looks(self) -> None:
        """What it does every minute or every five, with all that happened until now."""
        parts = self.backend.parts
        url = parts.settings.base_url + EVENTS_PATH
        secret = await ensure_event_endpoint(parts.flow_context, url, EVENT_TYPES, parts.cipher)
        parts.event_secrets[:] = [secret]
        now = self.backend.database.clock.now()
        since, until = now - timedelta(days=1), now + timedelta(minutes=1)
        await provider_events.receive_missed(parts.flow_context, EVENT_TYPES, since=since, until=until)

    async def ends(self) -> None:
        """Whoever buys gets an answer, and what nobody finishes lapses."""
        await asyncio.gather(*self.running)
        await self.backend.sandbox.deliver("normal")
        await self.the_worker_looks()
        await self.backend.advance("PT33M")
        await self.the_worker_looks()
        await eventually(self._is_quiet)

    async def _is_quiet(self) -> bool:
        return await self.stuck() == []

    async def stuck(self) -> list[str]:
        """What waits for something."""
        async with self.backend.database.read() as session:
            return list(await session.scalars(text(_STUCK)))

    async def _any(self, path: str, **parameters: str) -> dict[str, Any] | None:
        found = await self._all(path, **parameters)
        return self.chance.choice(found) if found else None

    async def _all(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        return await self.backend.sandbox.listed(path, **parameters)

    async def _delete(self, path: str) -> None:
        (await self.backend.api.http.delete(f"{self.backend.sandbox.url}{path}", headers=_KEY)).raise_for_status()


async def _owed(backend: RunningBackend) -> Counter[str]:
    """The credits that each paid purchase is worth by what Stripe has: those bought, less the share of what was refunded."""
    async with backend.database.read() as session:
        rows = await session.execute(text("SELECT id, credits FROM credit_purchases"))
        bought = {str(row.id): row.credits for row in rows}
    returned = Counter[str]()
    for charge in await backend.sandbox.listed("/v1/charges"):
        if charge["paid"]:
            returned[charge["payment_intent"]] += charge["amount_refunded"]
    paid_by = {
        payment["invoice"]: payment["payment"]["payment_intent"]
        for payment in await backend.sandbox.listed("/v1/invoice_payments")
        if payment["status"] == "paid"
    }
    owed = Counter[str]()
    for invoice in await backend.sandbox.listed("/v1/invoices", status="paid"):
        purchase_id = invoice["metadata"]["purchase_id"]
        back = returned[paid_by[invoice["id"]]] if invoice["id"] in paid_by else 0
        owed[purchase_id] += bought[purchase_id] - bought[purchase_id] * back // invoice["total"]
    return +owed


@pytest_asyncio.fixture(scope="module")
async def company(server_url: str) -> AsyncGenerator[RunningBackend]:
    """A product for all the days: each begins with what the day before has left."""
    async with running_backend(server_url, "analytics") as running:
        yield running


@pytest.mark.parametrize("seed", _SEEDS)
async def test_after_a_dashboards_day_nothing_is_stuck_money_and_credits_agree_and_everybody_can_pay(
    company: RunningBackend, seed: int
) -> None:
    day = Day(company, random.Random(seed), [await company.sign_up() for _ in range(3)])
    for person in day.people:
        await company.add_card(person)

    for _ in range(_STEPS):
        await day.happens()
    await day.ends()
    async with company.database.read() as session:
        granted = Counter({str(row.id): row.left for row in await session.execute(text(_GRANTED))})
    async with company.database.read() as session:
        assert (await verify(session)).is_sound
    assert +granted == await _owed(company), day.done
    for person in day.people:
        await _pays(company, person)


async def _pays(backend: RunningBackend, person: Person) -> None:
    """Save a card and buy with it."""
    await backend.add_card(person)
    before = int((await backend.balance(person))["available"])
    cards = [card["id"] for card in await backend.cards(person) if card["last4"] == "4242"]
    payload = await backend.recharge(person, paymentMethodId=cards[0])
    assert payload["userErrors"] == []
    assert int((await backend.balance(person))["available"]) - before == int(payload["purchase"]["credits"])
