"""A product that can be killed: its database, the sandbox beside it, and the server that is ended and started again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from app.db.engine import Database
from app.flows.flow_context import FlowContext
from tests.crash.point_log import PointLog
from tests.support.accounts import SECRET_KEY
from tests.support.client import Api, eventually
from tests.support.process_forker import ForkedProcess, ProcessForker
from tests.support.running_backend import CATALOGS
from tests.support.sandbox_controls import SandboxControls
from tests.support.server import bare_environment

# what a server that starts does last
_SET_UP: Final = "portals.save:after-commit"
_SIGKILLED: Final = -9
_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Resources:
    """What the environments of a test worker use, one at a time: where they listen, who starts them, and where they may write."""

    server_url: str
    forker: ProcessForker
    port: int
    sandbox_port: int
    folder: Path

    def start(self, *command: str, output: Path, **environment: str) -> ForkedProcess:
        """Start a program (`counterfoil` or `sandbox` with its arguments) that writes to `output`."""
        with Path(os.devnull).open() as nothing, output.open("a") as written:
            return self.forker.start(
                *command,
                environment={**bare_environment(), **environment},
                descriptors=(nothing.fileno(), written.fileno(), written.fileno()),
                has_quick_passwords=True,
            )


@dataclass(slots=True)
class Environment:
    """A product with one catalog, for many crashes one after the other, each with a customer of its own.

    The server that was started after one crash is the one that is ended by the next. With `flow_context`, tests prepare things
    themselves.
    """

    resources: Resources
    catalog: str
    name: str
    database_url: str
    api: Api
    sandbox: SandboxControls
    flow_context: FlowContext
    points: PointLog
    _server: ForkedProcess | None = None
    _end: asyncio.Task[int] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a server was started whose end nobody has waited for."""
        return self._server is not None

    @property
    def database(self) -> Database:
        """The product's database."""
        return self.flow_context.database

    async def start(self) -> None:
        """Start the server and wait until it is set up; or, if it is to be ended at a point, until that has happened already."""
        assert not self.is_running
        await self._let_half_a_minute_pass()
        self.points.forget()
        self._server = self.resources.start(
            *("counterfoil", "serve"),
            output=self.output,
            DATABASE_URL=self.database_url,
            CATALOG=str(CATALOGS / f"{self.catalog}.toml"),
            PORT=str(self.resources.port),
            SANDBOX_PORT=str(self.resources.sandbox_port),
            COUNTERFOIL_HOME=str(self.resources.folder),
            SECRET_KEY=SECRET_KEY,
            # each customer comes from a network of their own, so that limits count for each alone
            TRUSTED_PROXIES="127.0.0.1/32",
            EVENT_CHECK_SECONDS="0",
            FAULT_LOG=str(self.points.path),
            FAULT_FILE=str(self._point_file),
        )
        self._end = asyncio.create_task(self._server.ended())
        await self.until(lambda passed: _SET_UP in passed)

    async def stop(self) -> None:
        """End the server by SIGKILL, unless it has ended already."""
        if self._server is not None:
            self._server.kill()
            await self._ended()

    def strike_at(self, point: str) -> None:
        """Have the server end by SIGKILL when it passes a point from now on, or for the nth time (`point#n`)."""
        self._write_point(point)

    async def was_struck(self) -> None:
        """Wait until the server was ended by SIGKILL; fails if it goes on, since the point was never reached, or ends otherwise."""
        assert await self._ended() == _SIGKILLED, self.output.read_text()

    async def until(self, is_so: Callable[[list[str]], bool]) -> None:
        """Wait until the points passed since the start, or since they were forgotten, are so, or the server ends by SIGKILL."""
        assert self._end is not None
        looking = asyncio.create_task(self.points.until(is_so))
        try:
            await asyncio.wait((looking, self._end), timeout=_PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if self._end.done():
                assert self._end.result() == _SIGKILLED, self.output.read_text()
            else:
                assert looking.done(), f"it never came to be so: {self.points.passed}"
        finally:
            looking.cancel()

    async def advance(self, duration: str) -> None:
        """Move the product's and the sandbox's time forward, and let what falls due happen."""
        answer = await self.api.http.post(f"{self.api.url}/dev/clock", json={"advance": duration})
        assert answer.status_code == 200, answer.text

    async def everything_is_told(self) -> None:
        """Wait until every event of the sandbox has been delivered and acted on."""
        await self.sandbox.deliver("normal")
        await self.sandbox.flush()
        await eventually(self._is_told)

    async def jobs_are_done(self) -> None:
        """Wait until the worker has emptied its queue."""
        await eventually(self._has_no_jobs)

    async def rows(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """What a query finds in the product's database."""
        async with self.database.raw() as connection:
            rows = cast(list[Any], await connection.fetch(statement, *arguments))
            return [dict(row) for row in rows]

    @property
    def output(self) -> Path:
        """What the servers wrote."""
        return self.resources.folder / f"{self.name}.output"

    @property
    def _point_file(self) -> Path:
        return self.resources.folder / f"{self.name}.point"

    def _write_point(self, point: str) -> None:
        written = self._point_file.with_suffix(".written")
        written.write_text(point)
        # a server that reads at the same moment finds the one or the other
        written.replace(self._point_file)

    async def _ended(self) -> int:
        assert self._end is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            code = await asyncio.shield(self._end)
        self._server = None
        self._write_point("")
        return code

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

    async def _has_no_jobs(self) -> bool:
        return await self.rows("SELECT count(*) AS jobs FROM pgqueuer") == [{"jobs": 0}]

    async def _let_half_a_minute_pass(self) -> None:
        """What the queue waits before it takes up the jobs of a worker that died."""
        async with self.database.raw() as connection:
            await connection.execute("UPDATE pgqueuer SET heartbeat = heartbeat - INTERVAL '31 seconds'")
