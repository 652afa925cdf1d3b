"""What the tests of moves share: compute, which has legacy plans and Enterprise, with a worker of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from tests.support.plan_moves import OPERATOR_ADDRESS
from tests.support.running_backend import RunningBackend, running_backend


@pytest_asyncio.fixture(scope="package")
async def _compute(server_url: str) -> AsyncGenerator[RunningBackend]:
    async with running_backend(server_url, "compute", sales_email=OPERATOR_ADDRESS) as running:
        yield running


@pytest_asyncio.fixture
async def dollars(_compute: RunningBackend) -> AsyncGenerator[RunningBackend]:
    """Compute, whose time these tests move through the years; the subscriptions of each end with it, which would renew."""
    yield _compute
    await _compute.sandbox.restore()
    await _compute.end_subscriptions()
