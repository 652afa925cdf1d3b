"""`counterfoil dev` itself, killed while it charges a card: its sandbox dies with it, and both come back as they were."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.db.engine import Database
from tests.support import operations
from tests.support.accounts import SECRET_KEY, new_person
from tests.support.client import Api, eventually
from tests.support.running_backend import CATALOGS, Person
from tests.support.sandbox_controls import SandboxControls
from tests.support.server import ServerProcess


@pytest_asyncio.fixture
async def server(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[ServerProcess]:
    """`counterfoil dev` on a database of this test's own, not started yet."""
    process = ServerProcess(
        tmp_path,
        DATABASE_URL=fresh_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        CATALOG=str(CATALOGS / "messaging.toml"),
        SECRET_KEY=SECRET_KEY,
    )
    yield process
    await asyncio.to_thread(process.clean_up)


async def _save_card(api: Api, sandbox: SandboxControls, person: Person) -> None:
    given = {"input": {"workspaceId": person.workspace}}
    begun = (await api.query(operations.ADD_CARD, given, token=person.token))["addPaymentMethod"]
    await sandbox.confirm_setup(begun["clientSecret"], "pm_card_visa", "pk_test_sandbox")

    async def cards() -> list[Any]:
        found = await api.query(operations.CARDS, {"id": person.workspace}, token=person.token)
        return found["workspace"]["paymentMethods"]

    await eventually(cards)


async def _recharge(api: Api, person: Person) -> dict[str, Any]:
    order = {"workspaceId": person.workspace, "idempotencyKey": "the only one", "packCode": "small"}
    return (await api.query(operations.RECHARGE, {"input": order}, token=person.token))["rechargeCredits"]


@pytest.mark.parametrize("point", ["recharge.begin:after-commit", "stripe.pay_invoice:after"])
async def test_the_development_server_killed_in_a_recharge_charges_and_credits_once(
    server: ServerProcess, fresh_database: Database, point: str
) -> None:
    made = await new_person(fresh_database)
    person = Person("", made.token, made.user.id, made.user.personal_workspace_id)
    async with httpx.AsyncClient(timeout=60) as http:
        api, sandbox = Api(server.url, http), SandboxControls(server.sandbox_url, http)
        await asyncio.to_thread(server.start, FAULT_POINT=point)
        await _save_card(api, sandbox, person)

        with suppress(httpx.TransportError):
            await _recharge(api, person)
        assert await asyncio.to_thread(server.wait) == -signal.SIGKILL

        await asyncio.to_thread(server.start)
        (await http.post(f"{server.url}/dev/clock", json={"advance": "PT2M"})).raise_for_status()
        payload = await _recharge(api, person)

        assert payload["userErrors"] == []
        assert payload["purchase"]["status"] == "SUCCEEDED"
        assert payload["creditBalance"]["available"] == payload["purchase"]["credits"]
        assert len(await sandbox.listed("/v1/charges")) == 1
