"""The table of the API: each call with the SDK's type of its parameters, its handler, and the parameters acted upon."""

from __future__ import annotations

from sandbox.routes.checkout import CHECKOUT, EVENTS, REVERSALS
from sandbox.routes.invoices import CATALOG, INVOICES
from sandbox.routes.payments import CARDS, CUSTOMERS, INTENTS

ROUTES = CUSTOMERS + CARDS + INTENTS + CATALOG + INVOICES + CHECKOUT + REVERSALS + EVENTS
