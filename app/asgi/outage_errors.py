"""Which failures of the outside mean that something can't be reached, rather than that the program is wrong."""

from __future__ import annotations

from app.db.engine import is_away
from app.errors import ProtocolError, Unavailable
from app.object_storage import StorageUnavailable
from app.payments.gateway_errors import GatewayUnavailable


def classify(error: BaseException) -> ProtocolError | None:
    """`Unavailable` for a lost database, provider or storage; None for anything else."""
    if isinstance(error, GatewayUnavailable):
        return Unavailable("The payment provider can't be reached right now; try again.")
    if isinstance(error, StorageUnavailable):
        return Unavailable("Pictures can't be reached right now; try again.")
    return Unavailable() if is_away(error) else None
