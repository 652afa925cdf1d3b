"""The tables. Importing this package knows them all."""

from app.db.tables import accounts, messages, payments, system
from app.db.tables.base import Base

__all__ = ["Base", "accounts", "messages", "payments", "system"]
