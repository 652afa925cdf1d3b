"""Two looks at the same thing at once: the older one must not have the last word."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.flows.provider.cards import sync_cards
from app.main import SANDBOX_SECRET_KEY
from app.payments.gateway_values import Wallet
from app.payments.stripe_gateway import StripeGateway, stripe_gateway
from tests.flows.provider_events.stories import FAILING, GOOD, somebody
from tests.support.running_backend import RunningBackend


class SlowGateway(StripeGateway):
    """A gateway whose first look at a wallet answers only when told to, with what it saw before."""

    def __init__(self, usual: StripeGateway) -> None:
        super().__init__(usual.stripe, usual.fault)
        self.has_seen = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def wallet(self, customer_id: str) -> Wallet:
        seen = await super().wallet(customer_id)
        if not self.has_seen.is_set():
            self.has_seen.set()
            await self.may_answer.wait()
        return seen


@pytest.mark.parametrize(("removed", "left"), [(0, "4242"), (1, "0341")], ids=["another card", "the default card"])
async def test_a_look_at_cards_that_another_overtook_brings_no_removed_card_back(
    backend: RunningBackend, removed: int, left: str
) -> None:
    customer = await somebody(backend)
    await backend.sandbox.deliver("drop")
    await customer.save_card(GOOD)
    await customer.save_card(FAILING)
    await sync_cards(backend.parts.flow_context, customer.person.workspace_id)
    gateway = SlowGateway(stripe_gateway(SANDBOX_SECRET_KEY, base_url=backend.sandbox.url))
    slow = asyncio.create_task(
        sync_cards(replace(backend.parts.flow_context, gateway=gateway), customer.person.workspace_id)
    )
    await gateway.has_seen.wait()

    await customer.detach(removed)
    await sync_cards(backend.parts.flow_context, customer.person.workspace_id)
    gateway.may_answer.set()
    await slow

    assert [(card["last4"], card["isDefault"]) for card in await backend.cards(customer.person)] == [(left, True)]


async def test_a_card_removed_while_it_is_made_the_default_is_passed_over(backend: RunningBackend) -> None:
    customer = await somebody(backend)
    await backend.sandbox.deliver("drop")
    await customer.save_card(GOOD)
    await customer.save_card(FAILING)
    gateway = SlowGateway(stripe_gateway(SANDBOX_SECRET_KEY, base_url=backend.sandbox.url))
    slow = asyncio.create_task(
        sync_cards(replace(backend.parts.flow_context, gateway=gateway), customer.person.workspace_id)
    )
    await gateway.has_seen.wait()

    await customer.detach(1)
    gateway.may_answer.set()
    await slow

    assert [(card["last4"], card["isDefault"]) for card in await backend.cards(customer.person)] == [("0341", True)]
