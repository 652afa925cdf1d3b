"""A workspace for each test, and proof of its ledger afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from app.db.engine import Database
from tests.ledger.workspace import proof
from tests.metering.workspace import Metered


@pytest_asyncio.fixture
async def metered(database: Database) -> AsyncGenerator[Metered]:
    """A new workspace on the fallback plan; whatever the test did to it, the ledger must be sound afterwards."""
    yield await Metered(database).open()
    report = await proof(database)
    assert report.is_sound, str(report.fault)
