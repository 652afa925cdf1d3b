"""Subscriptions whose results Stripe's documentation works out, or that its API was recorded to answer."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.sandbox.subscriptions.worked_case import WorkedCase
from tests.support.databases import empty_url
from tests.support.sandbox import SandboxProcess, sdk

_FILE = Path(__file__).with_name("worked_subscriptions.toml")
CASES: list[dict[str, Any]] = tomllib.loads(_FILE.read_text())["case"]


@pytest_asyncio.fixture(scope="module")
async def far_ahead(server_url: str) -> AsyncGenerator[SandboxProcess]:
    """A sandbox whose clock goes ahead by some years with each case, and back before the next one."""
    async with empty_url(server_url) as url:
        process = SandboxProcess(url)
        process.start()
        yield process
        process.stop()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_a_subscription_comes_out_as_at_stripe(far_ahead: SandboxProcess, case: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=far_ahead.url, timeout=60) as web:
        # back from where the case before has led: after 2100, which is no leap year, the calendar is another one
        await web.post("/_sandbox/clock", json={"now": datetime.now(UTC).isoformat()})
        await WorkedCase(sdk(far_ahead.url), web, case).live()
