"""One house for the whole table."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from tests.authorization.scene import Scene, open_scene
from tests.support.running_backend import running_house


@pytest_asyncio.fixture(scope="module")
async def scene(server_url: str) -> AsyncGenerator[Scene]:
    """The organization and everyone who may ask about it."""
    async with running_house(server_url, "analytics") as house:
        yield await open_scene(house)
