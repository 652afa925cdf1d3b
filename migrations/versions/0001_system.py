"""The worker's queue, the clock of development and the system's secrets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

revision = "0001_system"
down_revision = None


def upgrade() -> None:
    """Create the queue as pgqueuer defines it, and our own small tables."""
    queue = QueryBuilderEnvironment().build_install_query(create_schema=False)
    # many statements at once: only the driver's simple protocol takes them
    op.get_bind().connection.dbapi_connection.run_async(lambda driver: driver.execute(queue))  # pyright: ignore
    op.create_table(
        "clock_offset",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ahead", sa.Interval, nullable=False),
    )
    op.create_table(
        "system_secrets",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
