"""API keys: creating, using, expiring and revoking them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.accounts.access.api_keys import create_service_key, create_workspace_key, revoke_key, service_keys
from app.accounts.access.callers import ANONYMOUS, KeyCaller, usable_scopes
from app.accounts.access.permissions import ApiScope
from app.accounts.people.sessions import ended
from app.db.engine import Database, Session
from app.db.tables.access import ApiKeyRow, AuditEventRow
from app.db.unit_of_work import transact
from app.errors import InvalidInput, NotFound
from tests.support.accounts import at_later, at_second, authenticate, new_person


async def _key(database: Database, *scopes: ApiScope, name: str = "a server") -> tuple[ApiKeyRow, str]:
    return await transact(database, lambda session: create_service_key(session, name, scopes))


async def test_a_service_keys_secret_is_its_holders_within_its_scopes(database: Database) -> None:
    row, secret = await _key(database, ApiScope.USAGE_WRITE, ApiScope.CREDITS_WRITE, ApiScope.USAGE_WRITE)
    caller = await authenticate(database, secret)
    scopes = frozenset({ApiScope.USAGE_WRITE, ApiScope.CREDITS_WRITE})
    assert caller == KeyCaller(row.id, None, "a server", scopes)
    assert isinstance(caller, KeyCaller)
    assert caller.is_service


@pytest.mark.parametrize("scope", ApiScope)
async def test_a_service_key_can_have_any_scope_those_of_customers_keys_too(
    database: Database, scope: ApiScope
) -> None:
    _, secret = await _key(database, scope)
    caller = await authenticate(database, secret)
    assert isinstance(caller, KeyCaller)
    assert usable_scopes(caller) == {scope}


async def test_a_secret_has_256_random_bits_and_only_its_hash_and_beginning_are_kept(database: Database) -> None:
    row, secret = await _key(database, ApiScope.OPERATOR)
    assert secret.startswith("cfs_")
    assert len(secret) == 4 + 43
    assert row.prefix == secret[:10]
    assert secret.encode() not in row.secret_hash
    assert await authenticate(database, secret[:-1]) == ANONYMOUS


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", "nul\0"])
async def test_a_key_needs_a_name_of_one_line(database: Database, name: str) -> None:
    with pytest.raises(InvalidInput):
        await _key(database, ApiScope.OPERATOR, name=name)


async def test_a_key_needs_a_scope(database: Database) -> None:
    with pytest.raises(InvalidInput, match="at least one scope"):
        await _key(database)


async def test_the_last_use_is_noted_at_most_once_a_minute(database: Database) -> None:
    row, secret = await _key(database, ApiScope.OPERATOR)
    used = [row.last_used_at]
    for second in (0, 60, 61):
        await authenticate(at_second(database, second), secret)
        async with database.read() as session:
            used.append(await session.scalar(select(ApiKeyRow.last_used_at).where(ApiKeyRow.id == row.id)))
    assert used[0] is None
    assert used[1] is not None
    assert used[2] == used[1]
    assert used[3] is not None
    assert used[3] > used[1]


async def test_an_expired_key_is_anonymous(database: Database) -> None:
    row, secret = await _key(database, ApiScope.OPERATOR)
    caller = await authenticate(database, secret)

    async def expire(session: Session) -> None:
        expires_at = session.real_now + timedelta(hours=1)
        await session.execute(update(ApiKeyRow).where(ApiKeyRow.id == row.id).values(expires_at=expires_at))

    await transact(database, expire)
    later = at_later(database, timedelta(hours=2))
    assert await authenticate(database, secret) == caller
    assert await authenticate(later, secret) == ANONYMOUS
    async with database.read() as session:
        assert await ended(session, [caller]) == set()
    async with later.read() as session:
        assert await ended(session, [caller]) == {caller}


async def test_a_key_is_not_made_with_an_end_in_the_past(database: Database) -> None:
    with pytest.raises(InvalidInput, match="future"):
        await transact(
            database,
            lambda session: create_service_key(
                session, "a server", [ApiScope.OPERATOR], expires_at=session.real_now - timedelta(seconds=1)
            ),
        )


@pytest.mark.parametrize("by", ["prefix", "id"])
async def test_a_key_is_revoked_by_its_prefix_or_its_id_and_again_without_harm(database: Database, by: str) -> None:
    row, secret = await _key(database, ApiScope.OPERATOR)
    named = row.prefix if by == "prefix" else str(row.id)
    for _ in range(2):
        assert (await transact(database, lambda session: revoke_key(session, named))).id == row.id
    assert await authenticate(database, secret) == ANONYMOUS
    async with database.read() as session:
        assert row.id not in {each.id for each in await service_keys(session)}


@pytest.mark.parametrize("named", ["cfs_nobody", "", "cfs_", "a server", "00000000-0000-0000-0000-000000000000"])
async def test_an_unknown_prefix_or_id_revokes_no_key(database: Database, named: str) -> None:
    row, _ = await _key(database, ApiScope.OPERATOR)
    with pytest.raises(NotFound, match="no key"):
        await transact(database, lambda session: revoke_key(session, named))
    async with database.read() as session:
        assert row.id in {each.id for each in await service_keys(session)}


async def test_of_two_keys_with_one_prefix_neither_is_revoked_by_it(database: Database) -> None:
    (first, _), (second, _) = await _key(database, ApiScope.OPERATOR), await _key(database, ApiScope.OPERATOR)
    await transact(
        database,
        lambda session: session.execute(update(ApiKeyRow).where(ApiKeyRow.id == second.id).values(prefix=first.prefix)),
    )
    with pytest.raises(InvalidInput, match=str(second.id)):
        await transact(database, lambda session: revoke_key(session, first.prefix))
    async with database.read() as session:
        assert {first.id, second.id} <= {each.id for each in await service_keys(session)}


async def test_an_operator_revokes_the_leaked_key_of_a_workspace_and_its_log_says_so(database: Database) -> None:
    owner = await new_person(database)
    owned = owner.user.personal_workspace_id
    _, secret = await transact(
        database,
        lambda session: create_workspace_key(session, owner.caller, owned, "CI", [ApiScope.BILLING_READ], None),
    )

    await transact(database, lambda session: revoke_key(session, secret[:10]))

    assert await authenticate(database, secret) == ANONYMOUS
    actors = select(AuditEventRow.actor_label).where(
        AuditEventRow.workspace_id == owned, AuditEventRow.action == "key.revoked"
    )
    async with database.read() as session:
        assert (await session.scalars(actors)).all() == ["operator"]
