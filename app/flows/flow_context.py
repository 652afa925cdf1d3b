"""What every flow gets: the database, the payment gateway and the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalog import Catalog
from app.db.engine import Database
from app.payments.gateway import Gateway


@dataclass(frozen=True, slots=True)
class FlowContext:
    """The database, the payment gateway, and what is sold.

    A flow never keeps a transaction open during a call to the gateway.
    """

    database: Database
    gateway: Gateway
    catalog: Catalog
