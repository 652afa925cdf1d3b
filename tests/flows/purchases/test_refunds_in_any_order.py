"""Events duplicated, shuffled, delayed and dropped, looks that overtake each other: the same end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.engine import Session
from app.db.tables.provider import ProviderEventRow
from app.db.tables.purchases import PurchaseStatus
from app.db.unit_of_work import transact
from app.flows.flow_context import FlowContext
from app.flows.provider_events import RETURNED_MONEY_EVENTS, check_for_returned_money, poll, process
from app.flows.purchases.refunds import sync_returned_money
from app.jobs.due_works import due_works
from app.jobs.schedule import run_due
from app.main import SANDBOX_SECRET_KEY
from app.payments.gateway_values import ProviderEvent, ProviderRefund, RefundStatus, ReturnedMoney
from app.payments.stripe_event_types import EVENT_TYPES
from app.payments.stripe_gateway import StripeGateway, stripe_gateway
from app.store import provider_events as provider_event_store
from tests.support.accounts import KEYS
from tests.support.client import eventually
from tests.support.returned_money import Bought, apply, bought_by, buy, check_ledger
from tests.support.running_backend import RunningBackend


class Story:
    """What happens to a purchase at Stripe, in this order: a refund, a dispute of another part, and how the bank decides it."""

    def __init__(self, bought: Bought, *, decision: str) -> None:
        self._bought = bought
        self._dispute = ""
        self._seen: set[str] = set()
        self.left: list[Callable[[], Awaitable[object]]] = [
            lambda: bought.refund_at_stripe(61),
            self._disputed,
            lambda: bought.decide(self._dispute, decision),
        ]

    async def _disputed(self) -> None:
        self._dispute = await self._bought.dispute(100)

    async def news(self) -> list[ProviderEvent]:
        """The events about this purchase's money that Stripe has and were not handed out before."""
        fresh = [event for event in await _events(self._bought) if event.id not in self._seen]
        self._seen |= {event.id for event in fresh}
        return fresh


async def _events(bought: Bought) -> list[ProviderEvent]:
    """The events that Stripe has about this purchase's money, the oldest first."""
    since = bought.backend.database.clock.now() - timedelta(days=1)
    events = await bought.flow_context.gateway.events_since(since, event_types=tuple(RETURNED_MONEY_EVENTS))
    lists = [
        await bought.backend.sandbox.listed(f"/v1/{kind}", payment_intent=bought.payment_id)
        for kind in ("charges", "refunds", "disputes")
    ]
    ours = {each["id"] for listed in lists for each in listed}
    return [event for event in events if event.object_id in ours]


async def _process(bought: Bought, event: ProviderEvent) -> None:
    """Act on an event as the worker does; once more if it was acted on before."""
    event_id = f"{event.id}_{uuid4().hex}"

    async def receive(session: Session) -> None:
        row = ProviderEventRow(
            id=event_id,
            type=event.type,
            object_id=event.object_id,
            customer_id=event.customer_id,
            created_at=event.created_at,
            received_at=session.real_now,
        )
        await provider_event_store.receive(session, row)

    await transact(bought.backend.database, receive)
    await process(bought.flow_context, event_id)


@pytest.mark.parametrize("seed", range(8))
async def test_events_duplicated_shuffled_delayed_and_dropped_end_the_same(backend: RunningBackend, seed: int) -> None:
    chance = random.Random(seed)
    decision, returned, status = [("won", 61, PurchaseStatus.SUCCEEDED), ("lost", 161, PurchaseStatus.DISPUTED)][
        seed % 2
    ]
    bought = await buy(backend)
    await backend.sandbox.deliver("drop")
    story, waiting = Story(bought, decision=decision), list[ProviderEvent]()

    while story.left or waiting:
        if story.left and (not waiting or chance.random() < 0.4):
            await story.left.pop(0)()
            waiting += await story.news()
            continue
        event = waiting.pop(chance.randrange(len(waiting)))
        fate = chance.choice(["processed", "processed twice", "delayed", "dropped"])
        if fate == "delayed" and waiting:
            waiting.insert(0, event)
        elif fate != "dropped":
            for _ in range(2 if fate == "processed twice" else 1):
                await _process(bought, event)

    await check_for_returned_money(bought.flow_context, backend.database.clock.now() - timedelta(days=1))
    row = await bought.row()
    taken = bought.credits * returned // 500
    assert (row.status, row.refunded_minor, row.disputed_minor) == (status, 61, returned - 61)
    assert (row.reclaimed_credits, await bought.available()) == (taken, bought.credits - taken)
    assert (await bought.invoice()).amount_refunded_minor == 61
    await check_ledger(backend)


@pytest.mark.parametrize("mode", ["duplicate", "shuffle"])
async def test_webhooks_that_come_twice_or_in_any_order_end_the_same(backend: RunningBackend, mode: str) -> None:
    bought = await buy(backend)
    await backend.sandbox.deliver(mode)

    await bought.refund_at_stripe(61)
    dispute = await bought.dispute()
    await bought.decide(dispute, "lost")
    await backend.sandbox.flush()

    row = await bought.reclaimed(bought.credits)
    assert row.status == PurchaseStatus.DISPUTED
    await check_ledger(backend)


async def test_returned_money_without_an_event_is_found_by_the_check(backend: RunningBackend) -> None:
    bought = await buy(backend)
    await backend.sandbox.deliver("drop")
    await bought.refund_at_stripe(100)
    dispute = await bought.dispute(200)
    assert await bought.available() == bought.credits
    since = backend.database.clock.now() - timedelta(hours=1)

    assert await check_for_returned_money(bought.flow_context, since) >= 3
    assert (await bought.row()).reclaimed_credits == bought.credits * 3 // 5
    # what was looked at is not looked at again
    assert await check_for_returned_money(bought.flow_context, since) == 0

    await bought.decide(dispute, "won")
    await check_for_returned_money(bought.flow_context, since)
    assert (await bought.row()).reclaimed_credits == bought.credits // 5
    await check_ledger(backend)


async def test_the_worker_checks_for_returned_money_when_it_starts(backend: RunningBackend) -> None:
    bought = await buy(backend)
    await backend.sandbox.deliver("drop")
    await bought.refund_at_stripe()

    await run_due(due_works(bought.flow_context, KEYS, polled_events=()))

    assert (await bought.row()).reclaimed_credits == bought.credits


async def _is_up_to_date(bought: Bought) -> bool:
    """Look once; whether that brought the service as far as the provider is."""
    async with bought.flow_context.database.read() as session:
        before = await provider_event_store.cursor(session)
    await poll(bought.flow_context, EVENT_TYPES)
    async with bought.flow_context.database.read() as session:
        return before is not None and await provider_event_store.cursor(session) == before


async def test_a_service_that_no_webhook_reaches_learns_of_refunds_by_polling(backend: RunningBackend) -> None:
    bought = await buy(backend)
    await backend.sandbox.deliver("drop")
    # a look reads a page: one that begins far back, in a house that others used before, takes several to be up to date
    await eventually(lambda: _is_up_to_date(bought))
    await bought.refund_at_stripe(100)

    assert await poll(bought.flow_context, EVENT_TYPES) >= 1
    await bought.reclaimed(bought.credits // 5)

    # what nobody listens to is passed over, not asked for again
    assert await poll(bought.flow_context, EVENT_TYPES) == 0


async def test_a_refund_reported_before_the_payment_takes_back_what_is_then_granted(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.deliver("drop")
    # the answer to the payment is lost, and so is the event
    await backend.sandbox.fail("drop_after", "/v1/invoices/.*/pay", times=5)
    pending = await backend.recharge(person)
    assert pending["purchase"]["status"] == "PENDING"
    await backend.sandbox.restore()
    await backend.sandbox.deliver("drop")
    [charge] = await backend.charges(person)
    bought = await bought_by(person, backend, pending["purchase"]["id"])

    await bought.refund_at_stripe()
    [event] = [each for each in await _events(bought) if each.type == "charge.refunded"]
    assert event.object_id == charge["id"]
    await _process(bought, event)

    row = await bought.row()
    assert (row.status, row.reclaimed_credits) == (PurchaseStatus.REFUNDED, row.credits)
    assert await bought.kinds() == ["PURCHASE", "CLAWBACK"]
    assert await bought.available() == 0
    await check_ledger(backend)


class SlowGateway(StripeGateway):
    """A gateway whose first look at returns answers only when told to, with what it saw before."""

    def __init__(self, usual: StripeGateway) -> None:
        super().__init__(usual.stripe, usual.fault)
        self.has_seen = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def returned_money(self, invoice_id: str) -> ReturnedMoney | None:
        seen = await super().returned_money(invoice_id)
        if not self.has_seen.is_set():
            self.has_seen.set()
            await self.may_answer.wait()
        return seen


def _slow(bought: Bought) -> tuple[FlowContext, SlowGateway]:
    gateway = SlowGateway(stripe_gateway(SANDBOX_SECRET_KEY, base_url=bought.backend.sandbox.url))
    return replace(bought.flow_context, gateway=gateway), gateway


async def test_a_look_that_another_overtook_is_made_again(backend: RunningBackend) -> None:
    bought = await buy(backend)
    await backend.sandbox.deliver("drop")
    flow_context, gateway = _slow(bought)
    slow = asyncio.create_task(sync_returned_money(flow_context, bought.invoice_id))
    await gateway.has_seen.wait()

    await bought.refund_at_stripe(100)
    await sync_returned_money(bought.flow_context, bought.invoice_id)
    gateway.may_answer.set()
    await slow

    # the slow look saw no refund: had it been believed, the credits would be back
    assert (await bought.row()).reclaimed_credits == bought.credits // 5
    assert await bought.kinds() == ["PURCHASE", "CLAWBACK"]


async def test_many_looks_at_once_while_money_moves_take_each_share_once(backend: RunningBackend) -> None:
    bought = await buy(backend)

    async def refund() -> None:
        for _ in range(5):
            await bought.refund_at_stripe(20)

    await asyncio.gather(refund(), *(sync_returned_money(bought.flow_context, bought.invoice_id) for _ in range(8)))

    row = await bought.reclaimed(bought.credits // 5)
    assert (row.refunded_minor, await bought.available()) == (100, bought.credits - bought.credits // 5)
    await check_ledger(backend)


@pytest_asyncio.fixture
async def bought(backend: RunningBackend) -> Bought:
    """A purchase that the examples of a test share."""
    return await buy(backend)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=st.lists(st.lists(st.integers(1, 200), max_size=5), min_size=1, max_size=6))
async def test_whatever_was_refunded_before_only_what_is_refunded_now_counts(
    backend: RunningBackend, bought: Bought, states: list[list[int]]
) -> None:
    for parts in states:
        refunds = tuple(
            ProviderRefund(f"re_{at}", part, RefundStatus.SUCCEEDED, None, None) for at, part in enumerate(parts)
        )
        await apply(bought, ReturnedMoney(bought.payment_id, 0, refunds, ()))

        row = await bought.row()
        assert row.reclaimed_credits == row.credits * min(sum(parts), bought.total_minor) // bought.total_minor
        assert await bought.available() == row.credits - row.reclaimed_credits
    await check_ledger(backend)


def test_every_event_that_tells_of_returned_money_is_listened_to() -> None:
    assert RETURNED_MONEY_EVENTS.keys() <= set(EVENT_TYPES)
    # Stripe lists events of at most 20 types at a time
    assert len(RETURNED_MONEY_EVENTS) <= 20
