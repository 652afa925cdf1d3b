"""Many subscriptions, and long times: how fast the clock passes them, and that a kill leaves nothing half done."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import httpx
import stripe

from tests.sandbox.subscriptions.subscribing import DAY, HOUR, move_by, move_to, only_item, subscribe
from tests.support.sandbox import SandboxProcess, sdk

_MANY = 12


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def invoices_of(client: stripe.StripeClient, subscription: stripe.Subscription) -> list[str]:
    """Return the statuses of the invoices of a subscription's customer, newest first."""
    listed = await client.v1.invoices.list_async({"customer": str(subscription.customer), "limit": 100})
    return [str(invoice.status) for invoice in listed.data]


async def test_a_year_of_a_subscription_takes_less_than_a_second_of_processor_time(
    own_sandbox: SandboxProcess,
) -> None:
    client = sdk(own_sandbox.url)
    subscription = await subscribe(client)
    before = processor_seconds(own_sandbox.pid)
    async with httpx.AsyncClient(base_url=own_sandbox.url, timeout=60) as web:
        await move_by(web, 366 * DAY)

    assert processor_seconds(own_sandbox.pid) - before < 1
    assert await invoices_of(client, subscription) == ["paid"] * 13


async def test_a_sandbox_killed_while_it_renews_goes_on_where_it_was(own_sandbox: SandboxProcess) -> None:
    subscriptions = [await subscribe(sdk(own_sandbox.url)) for _ in range(_MANY)]
    end = only_item(subscriptions[-1]).current_period_end + 2 * HOUR
    for moment in (0.05, 0.1, 0.2):
        async with httpx.AsyncClient(base_url=own_sandbox.url, timeout=60) as web:
            moving = asyncio.create_task(move_to(web, end))
            await asyncio.sleep(moment)
            await asyncio.to_thread(own_sandbox.kill)
            with suppress(httpx.HTTPError):
                await moving
        await asyncio.to_thread(own_sandbox.start)
    async with httpx.AsyncClient(base_url=own_sandbox.url, timeout=60) as web:
        await move_to(web, end)

    client = sdk(own_sandbox.url)
    for subscription in subscriptions:
        assert await invoices_of(client, subscription) == ["paid", "paid"]
        charges = await client.v1.charges.list_async({"customer": str(subscription.customer)})
        assert len(charges.data) == 2
        now = await client.v1.subscriptions.retrieve_async(subscription.id)
        assert only_item(now).current_period_start == only_item(subscription).current_period_end
