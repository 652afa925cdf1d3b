"""One house for the whole table."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from tests.authorization.scene import Scene, open_scene
from tests.support.running_backend import running_backend


@pytest_asyncio.fixture(scope="module")
async def scene(server_url: str) -> AsyncGenerator[Scene]:
    """The organization and everyone who may ask about it."""
    async with running_backend(server_url, "analytics") as backend:
        yield await open_scene(backend)
