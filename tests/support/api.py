"""The whole API in this process: the composition root's routes over a test's database, without worker, sandbox or sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.db.engine import Database
from app.main import open_backend, web_app
from app.settings import Settings
from tests.support.accounts import SECRET_KEY, new_network

ORIGIN = "http://testserver"


@dataclass(slots=True)
class Client:
    """One program or browser: `headers` go with each request, and cookies are kept."""

    http: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def send(self, document: str, **variables: object) -> httpx.Response:
        """The response to a document."""
        body = {"query": document, "variables": variables}
        return await self.http.post("/graphql", json=body, headers=self.headers)

    async def run(self, document: str, **variables: object) -> dict[str, Any]:
        """The `data` of the answer; fails when there are errors beside `userErrors`."""
        answer = (await self.send(document, **variables)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def refused(self, document: str, **variables: object) -> dict[str, Any]:
        """The extensions of the only error of the answer."""
        answer = (await self.send(document, **variables)).json()
        [error] = answer["errors"]
        return error["extensions"]


@dataclass(slots=True)
class Api:
    """A running API; each client comes from a network address of its own."""

    transport: httpx.ASGITransport
    database: Database

    @asynccontextmanager
    async def program(self, token: str | None = None) -> AsyncGenerator[Client]:
        """A program, with a bearer token or without."""
        headers = {"x-forwarded-for": new_network()}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        async with httpx.AsyncClient(transport=self.transport, base_url=ORIGIN) as http:
            yield Client(http, headers)

    @asynccontextmanager
    async def browser(self) -> AsyncGenerator[Client]:
        """A page of the API's own origin."""
        async with self.program() as client:
            client.headers["origin"] = ORIGIN
            yield client


@asynccontextmanager
async def running_api(database_url: str, **settings: object) -> AsyncGenerator[Api]:
    """The API over a migrated database; rate limits are off unless `settings` say otherwise."""
    usual = {"rate_limits": "off", "storage_url": "memory:///", "trusted_proxies": ("127.0.0.1/32",)}
    chosen = Settings.model_validate({**usual, **settings})
    async with open_backend(chosen, database_url, SECRET_KEY) as backend:
        transport = httpx.ASGITransport(web_app(backend), client=("127.0.0.1", 1))
        yield Api(transport, backend.runtime.database)
