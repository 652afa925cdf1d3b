"""A workspace for each test, and proof of its ledger afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from app.db.engine import Database
from tests.ledger.workspace import Workspace, proof


@pytest_asyncio.fixture
async def workspace(database: Database) -> AsyncGenerator[Workspace]:
    """A new workspace; whatever the test did to it, the ledger must be sound afterwards."""
    yield Workspace(database)
    report = await proof(database)
    assert report.is_sound, str(report.fault)
