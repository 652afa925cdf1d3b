"""The tables. Importing this package knows them all."""

from app.db.tables import accounts, ledger, messages, payments, system, workspaces
from app.db.tables.base import Base

__all__ = ["Base", "accounts", "ledger", "messages", "payments", "system", "workspaces"]
