"""Plans that are given, without anything at the provider, and seats that accepted invitations wait for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018_given_plans"
down_revision = "0017_subscriptions"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Let a workspace be on terms that nothing at the provider bills; add the tables."""
    _let_plans_be_given()
    _add_seat_requests()
    _add_own_terms()
    _add_plan_moves()
    _add_plan_refunds()
    _add_trials_and_sales_requests()
    _add_billing_details()
    _add_customer_imports()


def _let_plans_be_given() -> None:
    op.drop_constraint(op.f("subscriptions_live_has_terms_check"), "subscriptions", type_="check")
    op.create_check_constraint(
        op.f("subscriptions_live_has_terms_check"), "subscriptions", "provider_id IS NULL OR terms_id IS NOT NULL"
    )


def _add_own_terms() -> None:
    """Terms may be made for one workspace."""
    op.add_column("plan_terms", sa.Column("workspace_id", sa.Uuid()))
    op.create_index(
        "plan_terms_workspace_id_idx",
        "plan_terms",
        ["workspace_id"],
        postgresql_where=sa.text("workspace_id IS NOT NULL"),
    )


def _add_plan_moves() -> None:
    op.create_table(
        "plan_moves",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text()),
        sa.Column("from_terms_id", sa.Text()),
        sa.Column("goal", JSONB()),
        sa.Column("ends_at", _TIME),
        sa.Column("card_id", sa.Text()),
        sa.Column("failure", sa.Text()),
        sa.Column("moved_at", _TIME),
        sa.Column("next_check_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index(
        "plan_moves_under_way_key",
        "plan_moves",
        ["workspace_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('UNDER_WAY', 'ENDING', 'BEGINNING')"),
    )
    op.create_index(
        "plan_moves_idempotency_key_key",
        "plan_moves",
        ["workspace_id", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index(
        "plan_moves_next_check_at_idx",
        "plan_moves",
        ["next_check_at"],
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    )


def _add_plan_refunds() -> None:
    op.create_table(
        "plan_refunds",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("move_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.Column("failure", sa.Text()),
        sa.Column("is_settled", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("amount_minor > 0", name="amount"),
    )
    op.create_index("plan_refunds_move_id_idx", "plan_refunds", ["workspace_id", "move_id"])
    op.create_index(
        "plan_refunds_failed_idx",
        "plan_refunds",
        ["created_at"],
        postgresql_where=sa.text("status = 'FAILED' AND NOT is_settled"),
    )


def _add_seat_requests() -> None:
    op.create_table(
        "seat_requests",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("invitation_id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("change_id", sa.Uuid()),
        sa.Column("next_check_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "invitation_id"], ["invitations.workspace_id", "invitations.id"], ondelete="CASCADE"
        ),
    )
    op.create_index(
        "seat_requests_next_check_at_idx",
        "seat_requests",
        ["next_check_at"],
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    )
    op.create_index("seat_requests_user_id_idx", "seat_requests", ["user_id"])


def _add_trials_and_sales_requests() -> None:
    op.create_table(
        "trial_uses",
        sa.Column("identity_hash", sa.LargeBinary(), primary_key=True),
        sa.Column("kept_until", _TIME, nullable=False, index=True),
    )
    op.create_table(
        "sales_requests",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index("sales_requests_user_id_idx", "sales_requests", ["user_id"])
    op.create_index("sales_requests_created_at_idx", "sales_requests", ["created_at"])


def _add_billing_details() -> None:
    op.add_column("billing_accounts", sa.Column("details_due_at", _TIME))
    op.add_column("billing_accounts", sa.Column("details_claimed_until", _TIME))
    op.create_index(
        "billing_accounts_details_due_at_idx",
        "billing_accounts",
        ["details_due_at"],
        postgresql_where=sa.text("details_due_at IS NOT NULL"),
    )
    texts = ("name", "email", "line1", "line2", "city", "state", "postal_code", "country")
    op.create_table(
        "billing_details",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        *(sa.Column(name, sa.Text()) for name in texts),
        sa.Column("address_due", sa.Boolean(), nullable=False),
        sa.Column("exemption", sa.Text(), nullable=False),
        sa.Column("reverse_sent", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
    )
    op.create_table(
        "tax_ids",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("country", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), unique=True),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )


def _add_customer_imports() -> None:
    op.add_column("billing_accounts", sa.Column("adopted_at", _TIME))
    op.create_table(
        "customer_imports",
        sa.Column("workspace_id", sa.Uuid(), primary_key=True),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text()),
        sa.Column("invoices", sa.BigInteger(), nullable=False),
        sa.Column("foreign_subscriptions", sa.Text(), nullable=False),
        sa.Column("next_check_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME),
        sa.CheckConstraint("(stage = 'DONE') = (next_check_at IS NULL)", name="goes_on_until_done"),
    )
    op.create_index(
        "customer_imports_next_check_at_idx",
        "customer_imports",
        ["next_check_at"],
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    )
