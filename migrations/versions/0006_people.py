"""Mailed links, codes, identities, invitations, freed handles, avatars, revoked keys, and who did what to whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_people"
down_revision = "0005_refunds"


def upgrade() -> None:
    """Add the columns and create the tables."""
    op.add_column("users", sa.Column("avatar_digest", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("billing_accounts", sa.Column("closing_at", sa.DateTime(timezone=True), nullable=True))
    _avatar_leftovers()
    _audit_events()
    _mailed_links_and_codes()
    _identities()
    _invitations()
    _handle_holds()
    _deletions()


def _time(name: str, *, optional: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=optional)


def _of(name: str, table: str, *, part_of_key: bool = False, optional: bool = False) -> sa.Column[object]:
    target = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, sa.Uuid, target, primary_key=part_of_key, nullable=optional)


def _avatar_leftovers() -> None:
    op.create_table(
        "avatar_leftovers",
        sa.Column("digest", sa.Text, primary_key=True),
        _time("due_at"),
        sa.Column("tries", sa.BigInteger, nullable=False),
    )
    op.create_index("avatar_leftovers_due_at_idx", "avatar_leftovers", ["due_at"])


def _audit_events() -> None:
    op.add_column("audit_events", sa.Column("actor_key_id", sa.Uuid(), nullable=True))
    op.add_column("audit_events", sa.Column("subject_user_id", sa.Uuid(), nullable=True))
    op.drop_constraint(op.f("audit_events_one_actor_check"), "audit_events", type_="check")
    op.create_check_constraint(
        op.f("audit_events_one_actor_check"),
        "audit_events",
        "num_nonnulls(actor_user_id, actor_key_id, actor_label) = 1",
    )


def _mailed_links_and_codes() -> None:
    op.create_table(
        "mailed_links",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        _of("user_id", "users"),
        _of("email_id", "emails", optional=True),
        _time("created_at"),
        _time("expires_at"),
    )
    op.create_index("mailed_links_user_id_idx", "mailed_links", ["user_id"])
    op.create_index("mailed_links_expires_at_idx", "mailed_links", ["expires_at"])
    op.create_table(
        "reauthentication_codes",
        _of("user_id", "users", part_of_key=True),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        _time("expires_at"),
    )
    op.create_index("reauthentication_codes_expires_at_idx", "reauthentication_codes", ["expires_at"])


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        _of("user_id", "users"),
        _time("created_at"),
    )
    op.create_index("identities_user_id_idx", "identities", ["user_id"])
    op.create_table(
        "erased_identities",
        sa.Column("identity_hash", sa.LargeBinary, primary_key=True),
        _time("erased_at"),
        _time("expires_at"),
    )
    op.create_index("erased_identities_expires_at_idx", "erased_identities", ["expires_at"])


def _invitations() -> None:
    op.create_table(
        "invitations",
        _of("workspace_id", "workspaces", part_of_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("address", sa.Text, nullable=True),
        sa.Column("address_key", sa.Text, nullable=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("invited_by", sa.Uuid, nullable=False),
        sa.Column("accepted_by", sa.Uuid, nullable=True),
        _time("accepted_at", optional=True),
        sa.Column("idempotency_key", sa.Text, nullable=True),
        _time("created_at"),
        _time("expires_at"),
        sa.CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER')", name="role"),
        sa.CheckConstraint(
            "(accepted_by IS NULL) = (idempotency_key IS NULL) AND (accepted_by IS NULL) = (accepted_at IS NULL)",
            name="accepted",
        ),
        sa.CheckConstraint("accepted_by IS NOT NULL OR num_nulls(address, address_key) = 0", name="open_has_address"),
    )
    op.create_index(
        "invitations_open_address_key",
        "invitations",
        ["workspace_id", "address_key"],
        unique=True,
        postgresql_where=sa.text("accepted_by IS NULL"),
    )
    op.create_index(
        "invitations_accepted_by_idempotency_key_key",
        "invitations",
        ["accepted_by", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("accepted_by IS NOT NULL"),
    )
    op.create_index("invitations_expires_at_idx", "invitations", ["expires_at"])


def _handle_holds() -> None:
    op.create_table(
        "handle_holds",
        sa.Column("handle_hash", sa.LargeBinary, primary_key=True),
        sa.Column("workspace_id", sa.Uuid, nullable=False),
        _time("held_until"),
    )
    op.create_index("handle_holds_held_until_idx", "handle_holds", ["held_until"])


def _deletions() -> None:
    op.create_table(
        "deletions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=True, unique=True),
        sa.Column("workspace_id", sa.Uuid, nullable=True, unique=True),
        sa.Column("requested_by", sa.Uuid, nullable=False),
        _time("next_look_at"),
        _time("settled_at", optional=True),
        _time("created_at"),
        sa.CheckConstraint("num_nonnulls(user_id, workspace_id) = 1", name="one_kind"),
    )
    op.create_index("deletions_next_look_at_idx", "deletions", ["next_look_at"])
