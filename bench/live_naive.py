"""Live updates as a team would first write them: Strawberry's own subscription, a broadcaster subscription a socket.

`python -m bench.live_naive PORT`, with `DATABASE_URL` in the environment. It checks no rights and reads nothing: the message
carries the whole balance.
"""

import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import orjson
import strawberry
import uvicorn
from broadcaster import Broadcast, Event
from starlette.applications import Starlette
from strawberry.asgi import GraphQL

CHANNEL = "bench_balances"

_broadcast = Broadcast(os.environ.get("DATABASE_URL", "memory://"))


@strawberry.type
class CreditBalance:
    id: strawberry.ID
    available: Decimal
    held: Decimal
    version: int
    updated_at: datetime

    @classmethod
    def from_json(cls, message: str) -> "CreditBalance":
        """The balance that a message carries."""
        balance = orjson.loads(message)
        return cls(
            id=balance["id"],
            available=Decimal(balance["available"]),
            held=Decimal(balance["held"]),
            version=balance["version"],
            updated_at=datetime.fromisoformat(balance["updatedAt"]),
        )


@strawberry.type
class Query:
    ok: bool = True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def credit_balance_changed(self, workspace_id: strawberry.ID) -> AsyncGenerator[CreditBalance, None]:
        """The balance as it stands, then after each change."""
        async with _broadcast.subscribe(channel=CHANNEL) as subscriber:
            events = cast(AsyncIterator[Event], subscriber)  # as it comes, it is not typed as one
            now = datetime.now(UTC)
            yield CreditBalance(id=workspace_id, available=Decimal(0), held=Decimal(0), version=0, updated_at=now)
            async for event in events:
                yield CreditBalance.from_json(event.message)


@asynccontextmanager
async def _connected(_app: Starlette) -> AsyncGenerator[None]:
    async with _broadcast:
        yield


def main(port: int) -> None:
    """Serve until killed."""
    app = Starlette(lifespan=_connected)
    app.mount("/", GraphQL(strawberry.Schema(query=Query, subscription=Subscription)))
    uvicorn.run(app, port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
