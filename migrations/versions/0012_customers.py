"""What the provider's customer of a workspace carries, when that is to be brought up to date, and customers that are gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_customers"
down_revision = "0011_key_makers"

# What customers carry was written when they were made, and never since: with no digest, all of them are brought up to date. Whose
# address each has is not known; it is that of an owner of that time, and so perhaps that of one who is an owner now.
_PERHAPS_THEIRS = """
    UPDATE billing_accounts SET customer_owner_ids = coalesce(
        (
            SELECT array_agg(memberships.user_id) FROM memberships
            WHERE memberships.workspace_id = billing_accounts.workspace_id AND memberships.role = 'OWNER'
        ),
        '{}'
    )
    WHERE customer_id IS NOT NULL
"""


def upgrade() -> None:
    """Add the columns and the table, and note whose address each customer may have."""
    op.add_column(
        "billing_accounts", sa.Column("customer_generation", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("billing_accounts", sa.Column("customer_digest", sa.LargeBinary, nullable=True))
    op.add_column(
        "billing_accounts",
        sa.Column("customer_owner_ids", sa.ARRAY(sa.Uuid), nullable=False, server_default=sa.text("'{}'")),
    )
    op.add_column("billing_accounts", sa.Column("customer_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("billing_accounts", sa.Column("customer_claimed_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "billing_accounts_customer_due_idx",
        "billing_accounts",
        ["customer_due_at"],
        postgresql_where=sa.text(
            "customer_id IS NOT NULL AND (customer_due_at IS NOT NULL OR customer_digest IS NULL)"
        ),
    )
    op.create_table(
        "former_customers",
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Uuid, nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="former_customers_pkey"),
    )
    op.create_index("former_customers_workspace_id_idx", "former_customers", ["workspace_id"])
    op.execute(_PERHAPS_THEIRS)
