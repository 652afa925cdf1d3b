"""Which issuer called an address verified, and when a token last told an account's address."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_vouched_emails"
down_revision = "0009_deletions_hold"

# An address that was verified in the very transaction that made its account's identity is there by the issuer's word alone. Of one
# that was verified later it is not known by what, so it counts as proven by a mailed link.
_VOUCHED_AT_FIRST_SIGHT = """
    UPDATE emails SET vouched_by = identities.issuer
    FROM identities
    WHERE identities.user_id = emails.user_id
        AND identities.created_at = emails.created_at AND emails.verified_at = emails.created_at
"""


def upgrade() -> None:
    """Add the columns, and fill the first for the addresses that accounts were made with."""
    op.add_column("emails", sa.Column("vouched_by", sa.Text, nullable=True))
    op.add_column("identities", sa.Column("email_told_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_VOUCHED_AT_FIRST_SIGHT)
