"""The endpoint over the toy schema: called in-process, or served on a free port for sockets and streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio
import uvicorn

from app.asgi.application import Application
from app.asgi.graphql import GraphQLSettings, graphql_endpoint
from app.errors import ProtocolError, Unavailable
from app.server.uvicorn_server import Sockets
from tests.asgi.toy_schema import ToyContexts, graphql_schema

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"


def classify(error: BaseException) -> ProtocolError | None:
    return Unavailable() if isinstance(error, ConnectionRefusedError) else None


def make_app(contexts: ToyContexts, settings: GraphQLSettings, ending: asyncio.Event | None = None) -> Application:
    """The application with this endpoint and nothing else."""
    return Application(graphql_endpoint(graphql_schema, contexts, settings, classify=classify, ending=ending))


@dataclass
class Client:
    """Sends requests without a socket in between."""

    http: httpx.AsyncClient
    contexts: ToyContexts

    async def post(
        self, query: str, *, accept: str = GRAPHQL, headers: dict[str, str] | None = None, **members: object
    ) -> httpx.Response:
        body = {"query": query, **members}
        return await self.http.post("/graphql", json=body, headers={"accept": accept, **(headers or {})})

    async def post_bytes(self, body: bytes, content_type: str = JSON, **headers: str) -> httpx.Response:
        all_headers = {"content-type": content_type, "accept": GRAPHQL, **headers}
        return await self.http.post("/graphql", content=body, headers=all_headers)

    async def get(
        self, *, accept: str = GRAPHQL, headers: dict[str, str] | None = None, **parameters: str
    ) -> httpx.Response:
        return await self.http.get("/graphql", params=parameters, headers={"accept": accept, **(headers or {})})


@asynccontextmanager
async def client_for(settings: GraphQLSettings) -> AsyncGenerator[Client]:
    """A client of an endpoint with these settings."""
    contexts = ToyContexts()
    transport = httpx.ASGITransport(make_app(contexts, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield Client(http, contexts)


@pytest_asyncio.fixture
async def client() -> AsyncGenerator[Client]:
    """A client of an endpoint in development."""
    async with client_for(GraphQLSettings()) as made:
        yield made


@pytest_asyncio.fixture
async def production() -> AsyncGenerator[Client]:
    """A client of an endpoint in production."""
    async with client_for(GraphQLSettings(production=True, secure_cookies=True)) as made:
        yield made


def code_of(response: httpx.Response) -> str:
    """The code of the first error of an answer."""
    return response.json()["errors"][0]["extensions"]["code"]


@dataclass
class Served:
    """An endpoint on a real port."""

    address: str
    contexts: ToyContexts
    ending: asyncio.Event

    @property
    def http_url(self) -> str:
        return f"http://{self.address}/graphql"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.address}/graphql"


class ReadyServer(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def served(settings: GraphQLSettings, **how: Any) -> AsyncGenerator[Served]:
    """Serve on a free port of this machine until the block ends; `how` is for uvicorn."""
    contexts, ending = ToyContexts(), asyncio.Event()
    config = uvicorn.Config(
        make_app(contexts, settings, ending),
        log_level="error",
        lifespan="off",
        ws=Sockets,
        ws_per_message_deflate=False,
        ws_max_size=settings.socket_message_bytes * 2,
        **how,
    )
    server = ReadyServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server._serve([listener]))  # pyright: ignore[reportPrivateUsage]
        await server.ready.wait()
        yield Served(f"127.0.0.1:{listener.getsockname()[1]}", contexts, ending)
        ending.set()
        server.should_exit = True
        await running


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncGenerator[Served]:
    """One endpoint in development for the tests of a module."""
    async with served(
        GraphQLSettings(socket_init_seconds=0.5, socket_message_bytes=10_000, socket_operations=5)
    ) as made:
        yield made
