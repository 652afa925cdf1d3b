"""The API as its clients see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from app.db.engine import Database
from tests.support.api import Api, running_api


@pytest_asyncio.fixture(scope="session")
async def api(database: Database) -> AsyncGenerator[Api]:
    """The API over this worker's database."""
    async with running_api(database.engine.url.set(drivername="postgresql").render_as_string(False)) as running:
        yield running
