"""Signing in with tokens, reading what came of it, and recording SQL statements."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import delete, event, func, select

from app.accounts.access.callers import Caller, UserCaller
from app.accounts.people.oidc_identities import authenticate, block_earlier_tokens
from app.accounts.people.users import User, emails_of, find_user
from app.db.engine import Database, Session
from app.db.tables.people import UserRow
from app.db.unit_of_work import transact
from app.oidc.issuer import Issuer
from tests.support.accounts import KEYS


async def caller_of(database: Database, issuer: Issuer, token: str) -> Caller:
    """Whose a token is."""
    return await authenticate(database, issuer, KEYS, token)


async def user_id_of(database: Database, issuer: Issuer, token: str) -> UUID:
    """The user a token is of; there must be one."""
    caller = await caller_of(database, issuer, token)
    assert isinstance(caller, UserCaller)
    return caller.user_id


async def user_of(database: Database, user_id: UUID) -> User:
    """A user as they are now."""
    async with database.read() as session:
        found = await find_user(session, user_id)
    assert found is not None
    return found


async def addresses_of(database: Database, user_id: UUID) -> list[tuple[str, bool, bool]]:
    """A user's addresses: each with whether it is primary, and whether it is verified."""
    async with database.read() as session:
        rows = await emails_of(session, user_id)
    return [(row.address, row.is_primary, row.verified_at is not None) for row in rows]


async def count(database: Database, table: type[Any]) -> int:
    """How many rows a table has."""
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def delete_account(database: Database, user_id: UUID) -> None:
    """Delete an account as far as identities are concerned."""

    async def work(session: Session) -> None:
        await block_earlier_tokens(session, user_id, KEYS.abuse_key)
        await session.execute(delete(UserRow).where(UserRow.id == user_id))

    await transact(database, work)


def verified(address: str, **claims: object) -> dict[str, Any]:
    """Claims of an address that the issuer calls verified."""
    return {"email": address, "email_verified": True, **claims}


@contextmanager
def watched(database: Database) -> Generator[list[str]]:
    """The statements that are sent meanwhile."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
