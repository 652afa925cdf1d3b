"""Who made an API key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_key_makers"
down_revision = "0010_vouched_emails"

# the audit log tells it of keys made before, by the prefix; of two with one prefix it can't be told which is whose
_MADE_BEFORE = """
    UPDATE api_keys SET created_by = made.actor_user_id
    FROM (
        SELECT workspace_id, detail -> 'after' ->> 'prefix' AS prefix, min(actor_user_id::text)::uuid AS actor_user_id
        FROM audit_events WHERE action = 'key.created' AND actor_user_id IS NOT NULL
        GROUP BY 1, 2 HAVING count(*) = 1
    ) AS made
    WHERE made.workspace_id = api_keys.workspace_id AND made.prefix = api_keys.prefix
"""


def upgrade() -> None:
    """Add the column, and fill it for the keys of workspaces."""
    op.add_column("api_keys", sa.Column("created_by", sa.Uuid, nullable=True))
    op.execute(_MADE_BEFORE)
