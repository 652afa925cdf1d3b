"""The outbox of a unit of work: jobs for the worker and hints for open screens, sent with its commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import orjson
from pgqueuer.queries import Queries
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_NOTIFY = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload")


@dataclass(frozen=True, slots=True)
class Hint:
    """Something changed: look again. Hints may be lost, doubled or late; the database is the truth.

    `object_id` is the object that changed (the workspace's own id where there is one per workspace), `version` its new version.
    """

    topic: str
    workspace_id: UUID
    object_id: UUID
    version: int


class HintTransport(Protocol):
    """How hints travel to every process."""

    @property
    def transactional_channel(self) -> str | None:
        """The PostgreSQL channel to notify inside the transaction, or None where `publish` is called after the commit."""
        ...

    def encode(self, hints: Sequence[Hint]) -> list[str]:
        """The hints as payloads small enough for one notification each."""
        ...

    async def publish(self, hints: Sequence[Hint]) -> None:
        """Send the hints now; never raises, since open screens read again periodically and so make up for a lost hint."""
        ...


class NoHints:
    """A transport for programs without live screens, such as one-off commands of the command line."""

    transactional_channel: str | None = None

    def encode(self, hints: Sequence[Hint]) -> list[str]:
        return []

    async def publish(self, hints: Sequence[Hint]) -> None:
        return


@dataclass(slots=True)
class Outbox:
    """Jobs and hints that one unit of work gathered; only the unit of work sends them."""

    jobs: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    hints: list[Hint] = field(default_factory=list[Hint])

    def enqueue(self, task: str, arguments: Mapping[str, str]) -> None:
        """Have the worker run `task` with `arguments` once this unit is committed."""
        self.jobs.append((task, orjson.dumps(arguments)))

    def hint(self, topic: str, workspace_id: UUID, object_id: UUID, version: int) -> None:
        """Tell open screens, once this unit is committed, that the object has a new version."""
        self.hints.append(Hint(topic, workspace_id, object_id, version))

    async def send(self, connection: AsyncConnection, transport: HintTransport) -> None:
        """Write the jobs, and the hints where they travel with the transaction, into the open transaction of `connection`."""
        if self.jobs:
            raw = (await connection.get_raw_connection()).driver_connection
            # SQLAlchemy opens its transaction with its first statement: before that, jobs would be committed on their own.
            if raw is None or not raw.is_in_transaction():
                raise RuntimeError("jobs may only be enqueued inside a transaction that has begun")
            await Queries.from_asyncpg_connection(raw).enqueue(
                [task for task, _ in self.jobs], [payload for _, payload in self.jobs], [0] * len(self.jobs)
            )
        if self.hints and transport.transactional_channel is not None:
            payloads = transport.encode(self.hints)
            await connection.execute(_NOTIFY, {"channel": transport.transactional_channel, "payloads": payloads})
