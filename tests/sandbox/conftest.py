"""A sandbox of its own for each test worker: a real process on a real PostgreSQL, spoken to by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio
import stripe

from tests.support.databases import empty_url
from tests.support.sandbox import SandboxProcess, WebhookReceiver, sdk


@pytest_asyncio.fixture
async def own_sandbox(server_url: str) -> AsyncGenerator[SandboxProcess]:
    """A running sandbox for a test that ends it."""
    async with empty_url(server_url) as url:
        process = SandboxProcess(url)
        process.start()
        yield process
        process.stop()


@pytest.fixture
def browser(sandbox: SandboxProcess) -> stripe.StripeClient:
    """The official SDK with a publishable key, as far as Stripe.js may go."""
    return sdk(sandbox.url, "pk_test_browser")


@pytest_asyncio.fixture
async def web(sandbox: SandboxProcess) -> AsyncGenerator[httpx.AsyncClient]:
    """Plain HTTP to the sandbox's pages and controls, which each test leaves as it found them."""
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=20) as http:
        yield http
        await http.delete("/_sandbox/faults")
        await http.post("/_sandbox/deliveries", json={"mode": "normal"})


@pytest_asyncio.fixture
async def receiver(client: stripe.StripeClient) -> AsyncGenerator[WebhookReceiver]:
    """A registered webhook endpoint that keeps what it receives, for this test only."""
    async with WebhookReceiver() as receiving:
        endpoint = await client.v1.webhook_endpoints.create_async({"url": receiving.url, "enabled_events": ["*"]})
        assert endpoint.secret is not None
        receiving.secret = endpoint.secret
        yield receiving
        await client.v1.webhook_endpoints.delete_async(endpoint.id)
