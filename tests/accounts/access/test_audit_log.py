"""The audit log: who, what, when, before and after."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.accounts.access import audit_log
from app.accounts.access.audit_log import SYSTEM, Actor
from app.accounts.access.callers import ANONYMOUS, KeyCaller, UserCaller
from app.accounts.access.permissions import ApiScope
from app.clock import Clock
from app.db.engine import Database, Session
from app.db.tables.access import AuditEventRow
from app.db.unit_of_work import transact


async def test_an_event_says_who_did_what_when_and_what_changed(database: Database) -> None:
    workspace_id, user_id = uuid4(), uuid4()
    moved = Database(database.engine, Clock(offset=timedelta(days=100)))

    async def change(session: Session) -> None:
        await audit_log.record(
            session,
            workspace_id,
            Actor(user_id=user_id),
            "seats.changed",
            "There are 5 seats now.",
            before={"seats": 3},
            after={"seats": 5},
        )

    await transact(moved, change)
    async with database.read() as session:
        row = (await session.scalars(select(AuditEventRow).where(AuditEventRow.workspace_id == workspace_id))).one()
    assert (row.actor_user_id, row.actor_label, row.action) == (user_id, None, "seats.changed")
    assert row.detail == {"before": {"seats": 3}, "after": {"seats": 5}}
    assert row.at - Clock().now() > timedelta(days=99)


async def test_an_event_is_rolled_back_with_its_change(database: Database) -> None:
    workspace_id = uuid4()

    async def change(session: Session) -> None:
        await audit_log.record(session, workspace_id, SYSTEM, "nothing", "Nothing.")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await transact(database, change)
    async with database.read() as session:
        found = await session.scalar(select(AuditEventRow.id).where(AuditEventRow.workspace_id == workspace_id))
    assert found is None


def test_users_and_keys_are_named_by_id_and_all_else_is_the_system() -> None:
    user = UserCaller(uuid4(), uuid4())
    key = KeyCaller(uuid4(), None, "CI", frozenset({ApiScope.OPERATOR}))
    assert audit_log.actor_of(user) == Actor(user_id=user.user_id)
    assert audit_log.actor_of(key) == Actor(key_id=key.key_id)
    assert audit_log.actor_of(ANONYMOUS) == SYSTEM == Actor(label="system")
