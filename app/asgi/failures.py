"""Which failures of the outside mean that something can't be reached, rather than that the program is wrong."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ProtocolError, Unavailable
from app.payments.values import GatewayUnavailable
from app.storage import StorageUnavailable

_CONNECTION_LOST = (
    InterfaceError,
    OperationalError,
    PoolTimeout,
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.TooManyConnectionsError,
)


def classify(error: BaseException) -> ProtocolError | None:
    """`Unavailable` for a lost database, provider or storage; None for anything else."""
    if isinstance(error, GatewayUnavailable):
        return Unavailable("The payment provider can't be reached right now; try again.")
    if isinstance(error, StorageUnavailable):
        return Unavailable("Pictures can't be reached right now; try again.")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Unavailable()
    return Unavailable() if isinstance(error, _CONNECTION_LOST) else None
