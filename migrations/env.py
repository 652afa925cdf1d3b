"""Runs the migrations on the connection handed over by `app.db.migrate`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from app.db.tables import Base

# Two processes starting at once must not migrate at once; the number is arbitrary and only has to be ours.
_LOCK = 0x636F756E


def _run(connection: Connection) -> None:
    # whoever comes second waits for the first to be through, and a migration may take longer than a request
    connection.execute(text("SET statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
    connection.execute(text("SET lock_timeout = '5s'"))
    connection.commit()
    try:
        context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        connection.commit()


_run(context.config.attributes["connection"])
