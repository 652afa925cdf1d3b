"""An identity provider for each test, and seconds that pass when a test says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from app.oidc.issuer import Issuer
from tests.oidc.seconds import Seconds
from tests.support.oidc import IssuerDouble, issuer_double


@pytest.fixture
def seconds() -> Seconds:
    """The time that keys are kept by."""
    return Seconds()


@pytest_asyncio.fixture
async def idp() -> AsyncGenerator[IssuerDouble]:
    """An identity provider of this test's own."""
    async with issuer_double() as double:
        yield double


@pytest_asyncio.fixture
async def issuer(idp: IssuerDouble, seconds: Seconds) -> AsyncGenerator[Issuer]:
    """The product's view of it."""
    async with idp.issuer(seconds) as made:
        yield made
