"""Addresses that the issuer verifies later, and concurrent sign-ins: one account per person, one account per verified address."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from app.db.engine import Database, Session
from app.db.tables.people import EmailRow, IdentityRow, UserRow
from app.db.unit_of_work import transact
from app.oidc.issuer import Issuer
from tests.accounts.people.oidc_identities.steps import addresses_of, count, user_id_of, verified, watched
from tests.support.accounts import new_address, new_person
from tests.support.oidc import IssuerDouble


async def test_many_first_sign_ins_at_once_make_one_account(
    fresh_database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    tokens = [idp.token(sub="ada", **verified("ada@example.com"), jti=str(each)) for each in range(20)]
    found = await asyncio.gather(*(user_id_of(fresh_database, issuer, token) for token in tokens))
    assert len(set(found)) == 1
    assert (await count(fresh_database, UserRow), await count(fresh_database, IdentityRow)) == (1, 1)


async def test_many_first_sign_ins_with_an_unverified_address_at_once_make_one_account_too(
    fresh_database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    tokens = [idp.token(sub="ada", email="ada@example.com", jti=str(each)) for each in range(20)]
    found = await asyncio.gather(*(user_id_of(fresh_database, issuer, token) for token in tokens))
    assert len(set(found)) == 1
    assert (await count(fresh_database, UserRow), await count(fresh_database, EmailRow)) == (1, 1)


async def test_an_address_that_is_verified_later_is_verified_here_too_and_becomes_primary(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address = new_address()
    user_id = await user_id_of(database, issuer, idp.token(sub="ada", email=address))
    await user_id_of(database, issuer, idp.token(sub="ada", email=address, email_verified=False))
    assert await addresses_of(database, user_id) == [(address, False, False)]
    tokens = [idp.token(sub="ada", **verified(address), jti=str(each)) for each in range(5)]
    assert set(await asyncio.gather(*(user_id_of(database, issuer, token) for token in tokens))) == {user_id}
    assert await addresses_of(database, user_id) == [(address, True, True)]


async def test_an_address_that_somebody_else_has_verified_stays_unverified(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address = new_address()
    user_id = await user_id_of(database, issuer, idp.token(sub="ada", email=address))
    owner = await new_person(database, address=address)
    with watched(database) as statements:
        assert await user_id_of(database, issuer, idp.token(sub="ada", **verified(address))) == user_id
    # nor is it tried with each request
    assert len(statements) == 1
    assert await addresses_of(database, user_id) == [(address, False, False)]
    assert await addresses_of(database, owner.user.id) == [(address, True, True)]


async def test_of_two_who_prove_one_address_at_once_one_has_it(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address = new_address()
    subjects = [uuid4().hex for _ in range(6)]
    for subject in subjects:
        await user_id_of(database, issuer, idp.token(sub=subject, email=address))
    tokens = [idp.token(sub=subject, **verified(address)) for subject in subjects]
    users = await asyncio.gather(*(user_id_of(database, issuer, token) for token in tokens))
    assert len(set(users)) == len(subjects)
    proven = [each for user in users for each in await addresses_of(database, user) if each[2]]
    assert proven == [(address, True, True)]


async def test_an_address_that_its_holder_proved_stays_primary(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address, added = new_address(), new_address()
    user_id = (await new_person(database, address=address)).user.id
    assert await user_id_of(database, issuer, idp.token(sub="ada", **verified(address))) == user_id

    async def add(session: Session) -> None:
        row = EmailRow(
            id=uuid4(),
            user_id=user_id,
            address=added,
            address_key=added,
            is_primary=False,
            verified_at=None,
            created_at=session.now,
        )
        session.add(row)

    await transact(database, add)
    await user_id_of(database, issuer, idp.token(sub="ada", **verified(added)))
    assert await addresses_of(database, user_id) == [(address, True, True), (added, False, True)]
