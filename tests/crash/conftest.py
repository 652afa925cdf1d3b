"""Worlds to kill servers in: one at a time for each test worker, copied from what was prepared before."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.nursery import Nursery
from tests.crash.world import Ground
from tests.crash.worlds import Worlds, reserved_ports


@pytest_asyncio.fixture(scope="session")
async def worlds(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Worlds]:
    """The worlds of this worker."""
    folder: Path = tmp_path_factory.mktemp("crash")
    nursery = await Nursery.open()
    with reserved_ports(2) as (port, sandbox_port):
        made = Worlds(Ground(server_url, nursery, port, sandbox_port, folder))
        yield made
        await nursery.close()
        await made.close()
