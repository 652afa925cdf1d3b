"""The tables. Importing this package knows them all."""

from app.db.tables import system
from app.db.tables.base import Base

__all__ = ["Base", "system"]
