"""The API as its clients see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from app.db.engine import Database
from tests.support.api import Api, running_api
from tests.support.avatars import AvatarApi, AvatarHolder, running_avatar_api
from tests.support.databases import cloned_url
from tests.support.organizations import AccountsApi
from tests.support.running_backend import CATALOGS


@pytest_asyncio.fixture(scope="session")
async def api(database: Database) -> AsyncGenerator[Api]:
    """The API over this worker's database."""
    async with running_api(database.engine.url.set(drivername="postgresql").render_as_string(False)) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def _ten_seats_api(server_url: str) -> AsyncGenerator[Api]:
    # in a database of its own, which knows how many seats there are without a subscription
    async with cloned_url(server_url) as url, running_api(url, catalog=CATALOGS / "compute.toml") as running:
        yield running


@pytest.fixture
def accounts(_ten_seats_api: Api) -> AccountsApi:
    """People and organizations where every plan has ten seats."""
    return AccountsApi(_ten_seats_api)


@pytest.fixture
def one_seat_accounts(api: Api) -> AccountsApi:
    """People and organizations where the plan that everyone is on has one seat: the owner's."""
    return AccountsApi(api)


@pytest_asyncio.fixture(scope="session")
async def avatar_api(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[AvatarApi]:
    """The API over this worker's database, with a folder as its storage."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_avatar_api(url, tmp_path_factory.mktemp("objects")) as running:
        yield running


@pytest_asyncio.fixture
async def holder(avatar_api: AvatarApi) -> AsyncGenerator[AvatarHolder]:
    """Someone without an avatar."""
    async with avatar_api.someone() as someone:
        yield someone
