"""Fixtures: an identity provider for each test, and the product's view of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from app.oidc.issuer import Issuer
from tests.support.oidc import IssuerDouble, issuer_double


@pytest_asyncio.fixture
async def idp() -> AsyncGenerator[IssuerDouble]:
    """An identity provider for this test only."""
    async with issuer_double() as double:
        yield double


@pytest_asyncio.fixture
async def issuer(idp: IssuerDouble) -> AsyncGenerator[Issuer]:
    """The product's view of it."""
    async with idp.issuer() as made:
        yield made
