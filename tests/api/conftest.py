"""The API as its clients see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from app.db.engine import Database
from tests.support.api import Api, running_api
from tests.support.avatars import AvatarHolder, Gallery, running_gallery
from tests.support.organizations import Town
from tests.support.running_backend import CATALOGS


@pytest_asyncio.fixture(scope="session")
async def api(database: Database) -> AsyncGenerator[Api]:
    """The API over this worker's database."""
    async with running_api(database.engine.url.set(drivername="postgresql").render_as_string(False)) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def _roomy_api(database: Database) -> AsyncGenerator[Api]:
    url = database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_api(url, catalog=CATALOGS / "compute.toml") as running:
        yield running


@pytest.fixture
def town(_roomy_api: Api) -> Town:
    """People and organizations where every plan has ten seats."""
    return Town(_roomy_api)


@pytest.fixture
def full_town(api: Api) -> Town:
    """People and organizations where the plan that everyone is on has one seat: the owner's."""
    return Town(api)


@pytest_asyncio.fixture(scope="session")
async def gallery(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gallery]:
    """The API over this worker's database, with a folder as its storage."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_gallery(url, tmp_path_factory.mktemp("objects")) as running:
        yield running


@pytest_asyncio.fixture
async def holder(gallery: Gallery) -> AsyncGenerator[AvatarHolder]:
    """Someone without an avatar."""
    async with gallery.someone() as someone:
        yield someone
