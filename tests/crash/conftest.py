"""What the crash tests of a test worker share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.environment import Resources
from tests.crash.environments import Environments, reserved_ports
from tests.support.process_forker import process_forker


@pytest_asyncio.fixture(scope="package")
async def environments(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Environments]:
    """The environments of this worker, ended with its last crash test."""
    folder: Path = tmp_path_factory.mktemp("crash")
    forker = process_forker()
    await asyncio.to_thread(forker.rehearse, server_url)
    with reserved_ports(2) as (port, sandbox_port):
        made = Environments(Resources(server_url, forker, port, sandbox_port, folder))
        yield made
        await made.close()
