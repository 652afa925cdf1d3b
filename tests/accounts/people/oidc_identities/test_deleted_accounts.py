"""Tokens from before the deletion of an account do not open it again."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, text

from app.accounts.access.callers import ANONYMOUS
from app.accounts.people.oidc_identities import ERASED_LIFETIME, authenticate, block_earlier_tokens
from app.accounts.purge import purge_expired
from app.accounts.security.secrets import derive_keys
from app.db.engine import Database, Session
from app.db.tables.people import ErasedIdentityRow, UserRow
from app.db.unit_of_work import transact
from app.oidc.issuer import Issuer
from tests.accounts.people.oidc_identities.steps import caller_of, count, delete_account, user_id_of, verified
from tests.support.accounts import KEYS, SECRET_KEY, at_later, new_address
from tests.support.oidc import IssuerDouble


async def test_a_token_from_before_its_account_was_deleted_brings_nothing_back(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address, subject, now = new_address(), uuid4().hex, int(time.time())
    olds = [idp.token(sub=subject, **verified(address), iat=now - age) for age in (0, 3_600)]
    olds.append(idp.token(sub=subject, **verified(address), iat=None))
    user_id = await user_id_of(database, issuer, olds[0])
    await delete_account(database, user_id)
    for token in olds:
        assert await caller_of(database, issuer, token) == ANONYMOUS
    later = at_later(database, timedelta(minutes=2))
    young = idp.token(sub=subject, **verified(address), iat=now + 120)
    assert await user_id_of(later, issuer, young) != user_id
    assert await user_id_of(later, issuer, olds[0]) == await user_id_of(later, issuer, young)


async def test_a_clock_that_is_ahead_makes_no_token_younger_than_the_deletion(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address, subject, now = new_address(), uuid4().hex, int(time.time())
    ahead = idp.token(sub=subject, **verified(address), iat=now + 50)
    user_id = await user_id_of(database, issuer, ahead)
    await delete_account(database, user_id)
    assert await caller_of(database, issuer, ahead) == ANONYMOUS


async def test_a_token_from_before_brings_nothing_back_under_another_pepper(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    token = idp.token(sub=uuid4().hex, **verified(new_address()), iat=int(time.time()))
    await delete_account(database, await user_id_of(database, issuer, token))
    moved = derive_keys(SECRET_KEY, "a pepper for tests only")
    assert await authenticate(database, issuer, moved, token) == ANONYMOUS
    unknown = derive_keys("another secret key", "a pepper for tests only")
    assert await authenticate(database, issuer, unknown, token) != ANONYMOUS


async def test_of_an_erased_identity_a_keyed_hash_is_kept_for_30_days(
    fresh_database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    token = idp.token(sub="ada", **verified("ada@example.com"))
    await delete_account(fresh_database, await user_id_of(fresh_database, issuer, token))
    async with fresh_database.read() as session:
        [row] = (await session.scalars(select(ErasedIdentityRow))).all()
        assert await session.scalar(text("SELECT count(*) FROM identities")) == 0
    assert len(row.identity_hash) == 32
    assert row.expires_at - row.erased_at == ERASED_LIFETIME == timedelta(days=30)
    await transact(at_later(fresh_database, ERASED_LIFETIME - timedelta(minutes=1)), purge_expired)
    assert await count(fresh_database, ErasedIdentityRow) == 1
    await transact(at_later(fresh_database, ERASED_LIFETIME + timedelta(minutes=1)), purge_expired)
    assert await count(fresh_database, ErasedIdentityRow) == 0


async def test_a_token_older_than_the_kept_hash_opens_no_account(
    fresh_database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    token = idp.token(sub="ada", **verified("ada@example.com"), exp=int(time.time()) + 90 * 86_400)
    await delete_account(fresh_database, await user_id_of(fresh_database, issuer, token))
    later = at_later(fresh_database, ERASED_LIFETIME + timedelta(minutes=1))
    await transact(later, purge_expired)
    assert await caller_of(later, issuer, token) == ANONYMOUS
    assert await count(fresh_database, UserRow) == 0


@pytest.mark.parametrize("claims", [{"iat": None}, {"iat": int(time.time()) - 31 * 86_400}], ids=["none", "old"])
async def test_a_token_without_a_recent_issue_time_makes_no_account_but_signs_in_to_one(
    database: Database, idp: IssuerDouble, issuer: Issuer, claims: dict[str, Any]
) -> None:
    address = new_address()
    assert await caller_of(database, issuer, idp.token(sub="ada", **verified(address), **claims)) == ANONYMOUS
    user_id = await user_id_of(database, issuer, idp.token(sub="ada", **verified(address)))
    assert await user_id_of(database, issuer, idp.token(sub="ada", **verified(address), **claims)) == user_id


async def test_whoever_signs_in_while_the_account_is_deleted_finds_it_gone_and_makes_no_other(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address, subject = new_address(), uuid4().hex
    token = idp.token(sub=subject, **verified(address))
    user_id = await user_id_of(database, issuer, token)
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow_deletion(session: Session) -> None:
        await block_earlier_tokens(session, user_id, KEYS.abuse_key)
        await session.execute(delete(UserRow).where(UserRow.id == user_id))
        begun.set()
        await goes_on.wait()

    deleting = asyncio.create_task(transact(database, slow_deletion))
    await begun.wait()
    # known still, since the deletion is not committed; linked by address, it waits for what becomes of the account
    assert await user_id_of(database, issuer, token) == user_id
    linking = asyncio.create_task(user_id_of(database, issuer, idp.token(sub=f"{subject}-2", **verified(address))))
    done, _ = await asyncio.wait([linking], timeout=0.3)
    assert not done
    goes_on.set()
    await deleting
    assert await linking != user_id
    assert await caller_of(database, issuer, token) == ANONYMOUS
