"""The environment that a test worker's crashes share, made anew for another catalog and after a test that failed."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from app.catalog import load_catalog
from app.clock import Clock
from app.db.engine import Database, connect
from app.flows.flow_context import FlowContext
from app.main import SANDBOX_SECRET_KEY
from app.payments.stripe_gateway import stripe_gateway
from tests.crash.environment import Environment, Resources
from tests.crash.point_log import PointLog
from tests.support.client import Api, eventually
from tests.support.databases import cloned_url
from tests.support.running_backend import CATALOGS
from tests.support.sandbox_controls import SandboxControls


@dataclass(slots=True)
class Environments:
    """Environments, of which there is one at a time."""

    resources: Resources
    _current: Environment | None = None
    _closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    @asynccontextmanager
    async def environment(self, catalog: str) -> AsyncGenerator[Environment]:
        """A product with a catalog, whose server runs, at rest; what fails in it leaves a new one to whoever comes next."""
        if self._current is None or self._current.catalog != catalog:
            await self.close()
            self._current = await self._closing.enter_async_context(_running(self.resources, catalog))
        try:
            if not self._current.is_running:
                await self._current.start()
            await self._current.sandbox.deliver("normal")
            yield self._current
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End what runs."""
        self._current = None
        closing, self._closing = self._closing, AsyncExitStack()
        await closing.aclose()


@asynccontextmanager
async def _running(resources: Resources, catalog: str) -> AsyncGenerator[Environment]:
    name = f"{catalog}-{uuid4().hex[:12]}"
    async with AsyncExitStack() as stack:
        database_url = await stack.enter_async_context(cloned_url(resources.server_url))
        # the servers close a connection that was idle for five seconds: it must not be used again at that very moment
        limits = httpx.Limits(keepalive_expiry=1.0)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60.0, verify=False, limits=limits))
        sandbox = SandboxControls(f"http://127.0.0.1:{resources.sandbox_port}", http)
        process = resources.start(
            *("sandbox", "--port", str(resources.sandbox_port), "--database-url", database_url),
            output=resources.folder / f"{name}.sandbox",
        )
        stack.push_async_callback(process.ended)
        stack.callback(process.kill)
        await eventually(lambda: _answers(http, sandbox.url))
        database = Database(connect(database_url, pool_size=2), Clock())
        stack.push_async_callback(database.close)
        points = PointLog(resources.folder / f"{name}.points")
        stack.callback(points.close)
        api = Api(f"http://127.0.0.1:{resources.port}", http)
        gateway = stripe_gateway(SANDBOX_SECRET_KEY, base_url=sandbox.url)
        flow_context = FlowContext(database, gateway, load_catalog(CATALOGS / f"{catalog}.toml"))
        environment = Environment(resources, catalog, name, database_url, api, sandbox, flow_context, points)
        stack.push_async_callback(environment.stop)
        yield environment


@contextmanager
def reserved_ports(count: int) -> Generator[list[int]]:
    """Ports that servers may listen on again and again, and that the system gives to nobody else meanwhile."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/healthz")).is_success
    except httpx.TransportError:
        return False
