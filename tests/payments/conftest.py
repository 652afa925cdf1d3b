"""The gateway on a sandbox of its own for each test worker: a real process, spoken to over HTTP by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio

from app.payments.gateway import Gateway
from app.payments.stripe_gateway import stripe_gateway
from tests.support.sandbox import SandboxProcess


@pytest.fixture
def gateway(sandbox: SandboxProcess) -> Gateway:
    """The gateway as the product has it."""
    return stripe_gateway("sk_test_counterfoil", base_url=sandbox.url)


@pytest_asyncio.fixture
async def web(sandbox: SandboxProcess) -> AsyncGenerator[httpx.AsyncClient]:
    """Plain HTTP to the sandbox's pages and controls."""
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=20) as http:
        yield http
