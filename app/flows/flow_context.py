"""What every flow works with."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalog import Catalog
from app.db.engine import Database
from app.payments.gateway import Gateway


@dataclass(frozen=True, slots=True)
class FlowContext:
    """The database, the payment gateway, and what is sold. A flow never holds a transaction of the one open across a call to the
    other."""

    database: Database
    gateway: Gateway
    catalog: Catalog
