"""The ledger."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0003_ledger"
down_revision = "0002_accounts"

_SQL = Path(__file__).with_name("0003_ledger_sql")
_MOMENT = TIMESTAMP(timezone=True)
_ROOM_FOR_UPDATES = {"fillfactor": "60"}


def upgrade() -> None:
    """Create the tables, what guards them, and the functions that write them."""
    _balances()
    _transactions()
    _entries()
    _grants()
    _holds()
    for name in ("guards", "spend", "state", "write"):
        # many statements at once: only the driver's simple protocol takes them
        sql = (_SQL / f"{name}.sql").read_text(encoding="utf-8")
        op.get_bind().connection.dbapi_connection.run_async(lambda driver, sql=sql: driver.execute(sql))  # pyright: ignore


def _balances() -> None:
    op.create_table(
        "ledger_balances",
        sa.Column("workspace_id", sa.Uuid, primary_key=True),
        sa.Column("available", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("recharge_below", sa.BigInteger),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.CheckConstraint("held >= 0", name="held"),
        sa.CheckConstraint("sequence >= 0", name="sequence"),
        sa.CheckConstraint("version >= sequence", name="version"),
        postgresql_with=_ROOM_FOR_UPDATES,
    )


def _transactions() -> None:
    op.create_table(
        "ledger_transactions",
        sa.Column("workspace_id", sa.Uuid, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("balance_after", sa.BigInteger, nullable=False),
        sa.Column("held_delta", sa.BigInteger, nullable=False),
        sa.Column("held_after", sa.BigInteger, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("resource", sa.Text),
        sa.Column("purchase_id", sa.Uuid),
        sa.Column("hold_id", sa.Uuid),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sa.Column("scope", sa.Text),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("input_hash", sa.LargeBinary),
        sa.CheckConstraint(
            "kind IN ('PURCHASE', 'AUTO_RECHARGE', 'BONUS', 'ADJUSTMENT', 'USAGE', 'HOLD', 'RELEASE', 'CAPTURE', 'EXPIRY',"
            " 'CLAWBACK', 'REINSTATEMENT')",
            name="kind",
        ),
        sa.CheckConstraint("sequence > 0", name="sequence"),
        sa.CheckConstraint("balance_after >= 0 OR amount >= 0 OR kind = 'CLAWBACK'", name="debt"),
        sa.CheckConstraint("held_after >= 0", name="held"),
        sa.CheckConstraint(
            "(scope IS NULL) = (idempotency_key IS NULL) AND (scope IS NULL) = (input_hash IS NULL)", name="key"
        ),
    )
    op.create_index(
        "ledger_transactions_key_idx",
        "ledger_transactions",
        ["workspace_id", "idempotency_key", "scope"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index(
        "ledger_transactions_purchase_idx",
        "ledger_transactions",
        ["workspace_id", "purchase_id"],
        unique=True,
        postgresql_where=sa.text("kind IN ('PURCHASE', 'AUTO_RECHARGE')"),
    )
    op.create_index(
        "ledger_transactions_kind_idx",
        "ledger_transactions",
        ["workspace_id", "kind", "sequence"],
        postgresql_where=sa.text("kind <> 'USAGE'"),
    )
    op.create_index("ledger_transactions_at_idx", "ledger_transactions", ["at"], postgresql_using="brin")


def _entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("workspace_id", sa.Uuid, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("line", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("grant_id", sa.Uuid),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "account IN ('AVAILABLE', 'HELD', 'PURCHASES', 'BONUSES', 'ADJUSTMENTS', 'USAGE', 'EXPIRY', 'CLAWBACK')",
            name="account",
        ),
        sa.CheckConstraint("amount <> 0", name="amount"),
        sa.CheckConstraint("account IN ('AVAILABLE', 'HELD') OR grant_id IS NULL", name="grant"),
    )


def _grants() -> None:
    op.create_table(
        "ledger_grants",
        sa.Column("workspace_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("opened_sequence", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("remaining", sa.BigInteger, nullable=False),
        sa.Column("granted_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.Column("purchase_id", sa.Uuid),
        sa.Column("is_open", sa.Boolean, sa.Computed("remaining > 0", persisted=True), nullable=False),
        sa.CheckConstraint(
            "source IN ('PURCHASE', 'AUTO_RECHARGE', 'WELCOME_BONUS', 'PROMOTION', 'ADJUSTMENT')", name="source"
        ),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("remaining >= 0 AND remaining <= amount", name="remaining"),
        postgresql_with=_ROOM_FOR_UPDATES,
    )
    op.create_index(
        "ledger_grants_spending_idx",
        "ledger_grants",
        ["workspace_id", "expires_at", "granted_at", "id"],
        postgresql_where=sa.text("is_open"),
    )
    op.create_index(
        "ledger_grants_due_idx",
        "ledger_grants",
        ["expires_at"],
        postgresql_where=sa.text("is_open AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ledger_grants_purchase_idx",
        "ledger_grants",
        ["workspace_id", "purchase_id"],
        postgresql_where=sa.text("purchase_id IS NOT NULL"),
    )


def _holds() -> None:
    op.create_table(
        "ledger_holds",
        sa.Column("workspace_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("captured", sa.BigInteger, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("opened_sequence", sa.BigInteger, nullable=False),
        sa.Column("closed_sequence", sa.BigInteger),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("captured >= 0 AND captured <= amount", name="captured"),
        sa.CheckConstraint("captured = 0 OR closed_sequence IS NOT NULL", name="closed"),
    )
    op.create_index(
        "ledger_holds_open_idx",
        "ledger_holds",
        ["workspace_id", "expires_at"],
        postgresql_where=sa.text("closed_sequence IS NULL"),
    )
    op.create_index(
        "ledger_holds_due_idx",
        "ledger_holds",
        ["expires_at"],
        postgresql_where=sa.text("closed_sequence IS NULL"),
    )
