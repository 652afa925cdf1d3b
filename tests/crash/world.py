"""A product that can be killed: its database, the sandbox beside it, and the server that is ended and started again."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, cast
from uuid import uuid4

import httpx

from app.db.engine import Database
from tests.crash.nursery import Nursery
from tests.support import operations
from tests.support.accounts import SECRET_KEY, texted_codes
from tests.support.client import Api, eventually
from tests.support.running_backend import CATALOGS, Person
from tests.support.sandbox_controls import SandboxControls

_LAST_OF_SET_UP: Final = "stripe.list_webhook_endpoints:after"

_WEBHOOK_SECRET: Final = "SELECT FROM system_secrets"
_SIGKILLED: Final = -9
_ORDERS: Final = {
    "analytics": {"packCode": "starter"},
    "compute": {"amount": "10.00"},
    "messaging": {"packCode": "small"},
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What a worker's worlds stand on, one at a time: where they listen, who starts them, and where they may write."""

    server_url: str
    nursery: Nursery
    port: int
    sandbox_port: int
    folder: Path


Prepare: TypeAlias = "Callable[[World], Coroutine[None, None, None]]"


@dataclass(slots=True)
class World:
    """A product on a database of its own, with one customer in it."""

    ground: Ground
    catalog: str
    database_url: str
    api: Api
    sandbox: SandboxControls
    database: Database
    person: Person
    pid: int = 0
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.ground.folder / f"{uuid4().hex}.points"

    async def start(self, strike_at: str | None = None) -> None:
        """Start the server and wait until it is set up; or, if it is to be ended at a point, until that has happened already."""
        await self._let_half_a_minute_pass()
        self.log.unlink(missing_ok=True)
        self.pid = await self.ground.nursery.start(
            *("counterfoil", "serve"),
            output=self.output,
            DATABASE_URL=self.database_url,
            CATALOG=str(CATALOGS / f"{self.catalog}.toml"),
            PORT=str(self.ground.port),
            SANDBOX_PORT=str(self.ground.sandbox_port),
            COUNTERFOIL_HOME=str(self.ground.folder),
            SECRET_KEY=SECRET_KEY,
            FAULT_LOG=str(self.log),
            FAULT_POINT=strike_at or "",
        )
        await eventually(self._serves)

    async def stop(self) -> None:
        """End the server without warning, unless that has happened already."""
        await end(self.ground.nursery, self.pid)

    async def was_struck(self) -> None:
        """Wait until the server was ended by SIGKILL; fails if it goes on, since the point was never reached, or ends otherwise."""

        await eventually(self.has_ended)
        assert await self.ground.nursery.exit_code(self.pid) == _SIGKILLED, self.output.read_text()

    async def has_ended(self) -> bool:
        """Whether the server was ended, by whatever."""
        return await self.ground.nursery.exit_code(self.pid) is not None

    def points(self) -> list[str]:
        """The points passed since the server was set up, in order."""
        _, _, since = self.log.read_text().partition(f"{_LAST_OF_SET_UP}\n")
        return since.splitlines()

    async def attempt(self, act: Prepare) -> None:
        """Do something as a client whose connection may break at any time."""
        try:
            await act(self)
        except httpx.TransportError:
            return

    async def advance(self, duration: str) -> None:
        """Move the product's and the sandbox's time forward, and let what falls due happen."""
        answer = await self.api.http.post(f"{self.api.url}/dev/clock", json={"advance": duration})
        assert answer.status_code == 200, answer.text

    async def everything_is_told(self) -> None:
        """Wait until every event of the sandbox has been delivered and acted on."""
        await self.sandbox.deliver("normal")
        await self.sandbox.flush()
        await eventually(self._is_told)

    async def ask(self, document: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """The data of an operation asked by the customer."""
        return await self.api.query(document, variables, token=self.person.token)

    async def recharge(self, key: str, **more: object) -> dict[str, Any]:
        """The payload of `rechargeCredits` for a pack, or for 10.00 where there are none, and what `more` says."""
        given = {"workspaceId": self.person.workspace, "idempotencyKey": key, **_ORDERS[self.catalog], **more}
        return (await self.ask(operations.RECHARGE, {"input": given}))["rechargeCredits"]

    async def begin_card(self) -> str:
        """The client secret with which a browser saves a card."""
        given = {"input": {"workspaceId": self.person.workspace}}
        begun = (await self.ask(operations.ADD_CARD, given))["addPaymentMethod"]
        assert begun["userErrors"] == []
        return begun["clientSecret"]

    async def confirm_card(self, client_secret: str, card: str) -> None:
        """Hand a test card to the provider, as Stripe.js does."""
        await self.sandbox.confirm_setup(client_secret, card, "pk_test_sandbox")

    async def cards(self) -> list[dict[str, Any]]:
        """The cards that the product shows."""
        return (await self.ask(operations.CARDS, {"id": self.person.workspace}))["workspace"]["paymentMethods"]

    async def verify_phone(self) -> None:
        """Verify a phone for the customer's workspace."""
        number = f"+316{10_000_000 + secrets.randbelow(40_000_000)}"
        given: dict[str, object] = {"workspaceId": self.person.workspace, "phoneNumber": number}
        await self.ask(operations.SEND_PHONE_VERIFICATION, {"input": given})
        given["code"] = (await texted_codes(self.database, number))[0]
        verified = await self.ask(operations.VERIFY_PHONE, {"input": given})
        assert verified["verifyPhone"]["userErrors"] == []

    async def rows(self, statement: str) -> list[dict[str, Any]]:
        """What a query finds in the product's database."""
        async with self.database.raw() as connection:
            rows = cast(list[Mapping[str, Any]], await connection.fetch(statement))
            return [dict(row) for row in rows]

    async def listed(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """What the provider lists of the account; there is one customer in it."""
        return await self.sandbox.listed(path, **parameters)

    @property
    def output(self) -> Path:
        """What the servers wrote."""
        return self.log.with_suffix(".output")

    async def _serves(self) -> bool:
        code = await self.ground.nursery.exit_code(self.pid)
        assert code in (None, _SIGKILLED), f"the server ended with {code}:\n{self.output.read_text()}"
        if code is not None:
            return True
        is_set_up = self.log.exists() and _LAST_OF_SET_UP in self.log.read_text() and await self.rows(_WEBHOOK_SECRET)
        return bool(is_set_up) and await answers(self.api.http, self.api.url)

    async def _is_told(self) -> bool:
        counts = (await self.api.http.get(f"{self.sandbox.url}/_sandbox/deliveries")).json()["counts"]
        if counts.get("pending"):
            await self.sandbox.flush()
            return False
        [left] = await self.rows(
            "SELECT (SELECT count(*) FROM pgqueuer) AS jobs,"
            " (SELECT count(*) FROM provider_events WHERE processed_at IS NULL) AS events"
        )
        return left == {"jobs": 0, "events": 0}

    async def _let_half_a_minute_pass(self) -> None:
        """What the queue waits before it takes up the jobs of a worker that died."""
        async with self.database.raw() as connection:
            await connection.execute("UPDATE pgqueuer SET heartbeat = heartbeat - INTERVAL '31 seconds'")


async def end(nursery: Nursery, pid: int) -> None:
    """End a server by SIGKILL, unless it was never started or has ended."""
    if pid == 0 or await nursery.exit_code(pid) is not None:
        return
    nursery.kill(pid)

    async def ended() -> bool:
        return await nursery.exit_code(pid) is not None

    await eventually(ended)


async def answers(http: httpx.AsyncClient, url: str) -> bool:
    """Whether a server listens at this address."""
    try:
        return (await http.get(f"{url}/healthz")).is_success
    except httpx.TransportError:
        return False
