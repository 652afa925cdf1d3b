"""Users, workspaces, sign-ups, sessions, keys, phones, rate limits, the audit log and the development inbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0002_accounts"
down_revision = "0001_system"


def upgrade() -> None:
    """Create the tables."""
    _users()
    _signing_in()
    _workspaces()
    _phones()
    _api_keys()
    _guards()
    _inbox()


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid, primary_key=True)


def _text(name: str, *, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=optional)


def _time(name: str, *, optional: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=optional)


def _of(name: str, table: str, *, part_of_key: bool = False, optional: bool = False) -> sa.Column[object]:
    target = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, sa.Uuid, target, primary_key=part_of_key, nullable=optional)


def _users() -> None:
    op.create_table(
        "users",
        _id(),
        _text("first_name", optional=True),
        _text("last_name", optional=True),
        _text("company", optional=True),
        _text("job_title", optional=True),
        _text("bio", optional=True),
        _text("visibility"),
        _text("password_hash", optional=True),
        _time("created_at"),
        sa.CheckConstraint("visibility IN ('PUBLIC', 'PRIVATE')", name="visibility"),
    )
    op.create_table(
        "emails",
        _id(),
        _of("user_id", "users"),
        _text("address"),
        _text("address_key"),
        sa.Column("is_primary", sa.Boolean, nullable=False),
        _time("verified_at", optional=True),
        _time("created_at"),
        sa.CheckConstraint("NOT is_primary OR verified_at IS NOT NULL", name="primary_is_verified"),
    )
    verified, primary = sa.text("verified_at IS NOT NULL"), sa.text("is_primary")
    op.create_index("emails_verified_address_key", "emails", ["address_key"], unique=True, postgresql_where=verified)
    op.create_index("emails_primary_user_id_key", "emails", ["user_id"], unique=True, postgresql_where=primary)
    op.create_index("emails_user_id_address_key_key", "emails", ["user_id", "address_key"], unique=True)


def _signing_in() -> None:
    op.create_table(
        "sign_ups",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        _text("address"),
        _text("address_key"),
        _text("password_hash"),
        _text("handle", optional=True),
        _text("first_name", optional=True),
        _text("last_name", optional=True),
        _time("created_at"),
        _time("expires_at"),
    )
    op.create_index("sign_ups_expires_at_idx", "sign_ups", ["expires_at"])
    op.create_table(
        "sessions",
        _id(),
        _of("user_id", "users"),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        _text("user_agent", optional=True),
        _time("created_at"),
        _time("last_seen_at"),
    )
    op.create_index("sessions_user_id_idx", "sessions", ["user_id"])
    op.create_index("sessions_last_seen_at_idx", "sessions", ["last_seen_at"])


def _workspaces() -> None:
    op.create_table(
        "workspaces",
        _id(),
        _text("kind"),
        _text("name"),
        _text("handle"),
        sa.Column("external_id", sa.Text, unique=True),
        sa.Column("created_by", sa.Uuid, nullable=False),
        _time("created_at"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.CheckConstraint("kind IN ('PERSONAL', 'ORGANIZATION')", name="kind"),
    )
    personal = sa.text("kind = 'PERSONAL'")
    op.create_index(
        "workspaces_personal_created_by_key", "workspaces", ["created_by"], unique=True, postgresql_where=personal
    )
    op.create_table(
        "memberships",
        _of("workspace_id", "workspaces", part_of_key=True),
        _of("user_id", "users", part_of_key=True),
        _text("role"),
        _time("joined_at"),
        sa.CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER')", name="role"),
    )
    op.create_index("memberships_user_id_idx", "memberships", ["user_id"])
    named = sa.ForeignKey("workspaces.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    op.create_table(
        "handles",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("workspace_id", sa.Uuid, named, nullable=False, unique=True),
        sa.CheckConstraint("key = lower(key)", name="lower_case"),
    )


def _phones() -> None:
    op.create_table(
        "phones",
        _of("workspace_id", "workspaces", part_of_key=True),
        sa.Column("number_hash", sa.LargeBinary, nullable=False),
        _text("last_digits"),
        _time("verified_at"),
    )
    op.create_table(
        "phone_uses",
        sa.Column("number_hash", sa.LargeBinary, primary_key=True),
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("workspace_id", sa.Uuid, nullable=False),
        _time("used_at"),
        sa.CheckConstraint("slot BETWEEN 1 AND 3", name="slot"),
    )
    op.create_index(
        "phone_uses_number_hash_workspace_id_key", "phone_uses", ["number_hash", "workspace_id"], unique=True
    )
    op.create_table(
        "phone_checks",
        _of("workspace_id", "workspaces", part_of_key=True),
        sa.Column("number_hash", sa.LargeBinary, primary_key=True),
        sa.Column("tries", sa.BigInteger, nullable=False),
        _time("expires_at"),
    )
    op.create_index("phone_checks_expires_at_idx", "phone_checks", ["expires_at"])


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        _id(),
        _of("workspace_id", "workspaces", optional=True),
        _text("name"),
        _text("prefix"),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        _time("created_at"),
        _time("last_used_at", optional=True),
        _time("expires_at", optional=True),
    )
    op.create_index("api_keys_workspace_id_idx", "api_keys", ["workspace_id"])


def _guards() -> None:
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("hits", ARRAY(sa.DateTime(timezone=True)), nullable=False),
        _time("expires_at"),
    )
    op.create_index("rate_limits_expires_at_idx", "rate_limits", ["expires_at"])
    op.create_table(
        "audit_events",
        sa.Column("workspace_id", sa.Uuid, primary_key=True),
        _id(),
        _time("at"),
        sa.Column("actor_user_id", sa.Uuid),
        _text("actor_label", optional=True),
        _text("action"),
        _text("summary"),
        sa.Column("detail", JSONB),
        sa.CheckConstraint("(actor_user_id IS NULL) <> (actor_label IS NULL)", name="one_actor"),
    )
    op.create_index("audit_events_workspace_id_at_idx", "audit_events", ["workspace_id", "at"])


def _inbox() -> None:
    op.create_table(
        "inbox_messages",
        _id(),
        _text("channel"),
        _text("recipient"),
        _text("subject", optional=True),
        _text("text"),
        sa.Column("links", ARRAY(sa.Text), nullable=False),
        _text("code", optional=True),
        _time("sent_at"),
        sa.CheckConstraint("channel IN ('email', 'sms')", name="channel"),
    )
    op.create_index("inbox_messages_sent_at_idx", "inbox_messages", ["sent_at"])
    op.create_table(
        "sms_codes",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        _time("expires_at"),
    )
    op.create_index("sms_codes_expires_at_idx", "sms_codes", ["expires_at"])
