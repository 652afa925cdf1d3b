"""Fixtures: an identity provider for each test, the product's view of it, and the clock of its caches."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from app.oidc.issuer import Issuer
from tests.oidc.manual_clock import ManualClock
from tests.support.oidc import IssuerDouble, issuer_double


@pytest.fixture
def clock() -> ManualClock:
    """The clock by which the issuer's caches expire."""
    return ManualClock()


@pytest_asyncio.fixture
async def idp() -> AsyncGenerator[IssuerDouble]:
    """An identity provider for this test only."""
    async with issuer_double() as double:
        yield double


@pytest_asyncio.fixture
async def issuer(idp: IssuerDouble, clock: ManualClock) -> AsyncGenerator[Issuer]:
    """The product's view of it."""
    async with idp.issuer(clock) as made:
        yield made
