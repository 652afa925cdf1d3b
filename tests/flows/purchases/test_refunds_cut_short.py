"""Refunds cut short at any step: written down first, sent once under one key, and brought to their end by whoever comes next."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.clock import Clock
from app.db.engine import Database
from app.db.tables.purchases import PurchaseStatus, RefundState
from app.errors import Conflict
from app.flows.purchases.refunds import resume_refund
from app.payments.gateway_errors import GatewayUnavailable
from tests.support.returned_money import Crash, buy, check_ledger, crashing, refund
from tests.support.running_backend import RunningBackend

# the points a refund passes, and whether Stripe has it when the process ends there
CRASHES = [
    ("returns.apply:before-commit", 1, False),
    ("refund.request:before-commit", 1, False),
    ("refund.request:after-commit", 1, False),
    ("stripe.create_refund:before", 1, False),
    ("stripe.create_refund:after", 1, True),
    ("stripe.list_refunds:after", 2, True),
    ("returns.apply:before-commit", 2, True),
]


@pytest.mark.parametrize(("point", "passing", "is_sent"), CRASHES)
async def test_a_crash_at_any_step_and_asking_again_refunds_once(
    backend: RunningBackend, point: str, passing: int, is_sent: bool
) -> None:
    bought = await buy(backend)
    await backend.sandbox.deliver("drop")
    with pytest.raises(Crash):
        await refund(bought, "2.50", flow_context=crashing(backend, point, passing=passing))
    assert len(await bought.refunds_at_stripe()) == is_sent

    assert (await refund(bought, "2.50")).status == RefundState.SUCCEEDED

    [sent] = await bought.refunds_at_stripe()
    [made] = await bought.refund_rows()
    assert (sent["amount"], made.status, made.provider_id) == (250, RefundState.SUCCEEDED, sent["id"])
    assert (await bought.row()).reclaimed_credits == bought.credits // 2
    assert await bought.available() == bought.credits - bought.credits // 2
    await check_ledger(backend)


@pytest.mark.parametrize(("point", "passing", "is_sent"), [crash for crash in CRASHES if crash[2]])
async def test_a_crash_after_sending_is_made_up_for_by_the_event(
    backend: RunningBackend, point: str, passing: int, is_sent: bool
) -> None:
    bought = await buy(backend)

    with pytest.raises(Crash):
        await refund(bought, flow_context=crashing(backend, point, passing=passing))

    row = await bought.reclaimed(bought.credits)
    [made] = await bought.refund_rows()
    assert (row.status, made.status) == (PurchaseStatus.REFUNDED, RefundState.SUCCEEDED)
    assert len(await bought.refunds_at_stripe()) == is_sent


async def test_the_worker_carries_on_a_refund_that_was_left_unsent(own_backend: RunningBackend) -> None:
    bought = await buy(own_backend)
    with pytest.raises(Crash):
        await refund(bought, "2.50", flow_context=crashing(own_backend, "refund.request:after-commit", passing=1))
    assert await bought.refunds_at_stripe() == []

    await own_backend.advance("PT2M")

    await bought.reclaimed(bought.credits // 2)
    assert [each.status for each in await bought.refund_rows()] == [RefundState.SUCCEEDED]
    assert len(await bought.refunds_at_stripe()) == 1


async def test_several_workers_that_resume_the_same_refund_send_it_once(backend: RunningBackend) -> None:
    bought = await buy(backend)
    with pytest.raises(Crash):
        await refund(bought, "1.00", flow_context=crashing(backend, "refund.request:after-commit", passing=1))
    [begun] = await bought.refund_rows()

    # a worker that meets another at Stripe may be told to come again
    await asyncio.gather(
        *(resume_refund(bought.flow_context, begun.workspace_id, begun.id) for _ in range(5)), return_exceptions=True
    )

    await bought.reclaimed(bought.credits // 5)
    assert [each["amount"] for each in await bought.refunds_at_stripe()] == [100]


async def test_a_refund_left_unsent_for_23_hours_is_sent_no_more(backend: RunningBackend) -> None:
    bought = await buy(backend)
    with pytest.raises(Crash):
        await refund(bought, "2.50", flow_context=crashing(backend, "refund.request:after-commit", passing=1))
    [begun] = await bought.refund_rows()
    later = Clock(backend.database.clock.offset + timedelta(hours=23))
    flow_context = replace(bought.flow_context, database=Database(backend.database.engine, later))

    left = await resume_refund(flow_context, begun.workspace_id, begun.id)

    assert left is not None
    assert (left.status, left.failure) == (RefundState.FAILED, "It could not be sent in time.")
    assert await bought.refunds_at_stripe() == []
    # what was never sent stands in nobody's way
    assert (await refund(bought, "2.50")).status == RefundState.SUCCEEDED


async def test_another_amount_waits_until_the_refund_on_its_way_is_through(backend: RunningBackend) -> None:
    bought = await buy(backend)
    with pytest.raises(Crash):
        await refund(bought, "2.50", flow_context=crashing(backend, "refund.request:after-commit", passing=1))

    with pytest.raises(Conflict, match=r"2\.50 EUR is on its way"):
        await refund(bought, "1.00")

    await refund(bought, "2.50")
    assert (await refund(bought, "1.00")).status == RefundState.SUCCEEDED
    assert [each["amount"] for each in await bought.refunds_at_stripe()] == [100, 250]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_refund_whose_answer_is_lost_is_sent_once(backend: RunningBackend, kind: str) -> None:
    bought = await buy(backend)
    await backend.sandbox.fail(kind, "/v1/refunds", times=5)

    with pytest.raises(GatewayUnavailable):
        await refund(bought, "2.50")
    await backend.sandbox.restore()
    [begun] = await bought.refund_rows()
    await resume_refund(bought.flow_context, begun.workspace_id, begun.id)

    await bought.reclaimed(bought.credits // 2)
    assert len(await bought.refunds_at_stripe()) == 1
    assert [each.status for each in await bought.refund_rows()] == [RefundState.SUCCEEDED]
