"""An address that passes from one subject of an issuer to another does not take the account along."""

from __future__ import annotations

import asyncio
import io
from uuid import uuid4

import pytest
import structlog

from app.db.engine import Database
from app.db.tables.people import IdentityRow, UserRow
from app.oidc.issuer import Issuer
from tests.accounts.people.oidc_identities.steps import addresses_of, count, user_id_of, verified, watched
from tests.support.accounts import new_address, new_person
from tests.support.oidc import IssuerDouble


async def test_no_second_subject_of_one_issuer_is_ever_linked_to_an_account(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address, first, second = new_address(), uuid4().hex, uuid4().hex
    owner = await user_id_of(database, issuer, idp.token(sub=first, **verified(address)))
    successor = await user_id_of(database, issuer, idp.token(sub=second, **verified(address)))
    assert successor != owner
    assert await addresses_of(database, owner) == [(address, True, True)]
    assert await addresses_of(database, successor) == [(address, False, False)]
    token = idp.token(sub=second, **verified(address), jti="again")
    with watched(database) as statements:
        assert await user_id_of(database, issuer, token) == successor
    assert len(statements) == 1
    assert await user_id_of(database, issuer, idp.token(sub=first, **verified(address))) == owner


async def test_nor_to_an_account_whose_address_was_proven_by_a_mailed_link(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address = new_address()
    owner = await new_person(database, address=address)
    assert await user_id_of(database, issuer, idp.token(sub=uuid4().hex, **verified(address))) == owner.user.id
    assert await user_id_of(database, issuer, idp.token(sub=uuid4().hex, **verified(address))) != owner.user.id


async def test_of_many_subjects_with_one_address_at_once_one_has_it(
    fresh_database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    tokens = [idp.token(sub=f"ada-{each}", **verified("ada@example.com")) for each in range(6)]
    found = await asyncio.gather(*(user_id_of(fresh_database, issuer, token) for token in tokens))
    assert len(set(found)) == 6
    assert (await count(fresh_database, UserRow), await count(fresh_database, IdentityRow)) == (6, 6)
    held = [each for user_id in found for each in await addresses_of(fresh_database, user_id)]
    assert sorted(held) == [("ada@example.com", False, False)] * 5 + [("ada@example.com", True, True)]


async def test_of_many_subjects_at_once_one_is_linked_to_an_account_that_the_issuer_does_not_know(
    fresh_database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    owner = await new_person(fresh_database, address="ada@example.com")
    tokens = [idp.token(sub=f"ada-{each}", **verified("ada@example.com")) for each in range(6)]
    found = await asyncio.gather(*(user_id_of(fresh_database, issuer, token) for token in tokens))
    assert found.count(owner.user.id) == 1
    assert len(set(found)) == 6


async def test_the_log_tells_of_a_second_subject_without_naming_anybody(
    database: Database, idp: IssuerDouble, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(
        "app.accounts.people.oidc_identities._log", structlog.wrap_logger(structlog.PrintLogger(written))
    )
    address, subjects = new_address(), [uuid4().hex, uuid4().hex]
    users = [await user_id_of(database, issuer, idp.token(sub=subject, **verified(address))) for subject in subjects]
    assert written.getvalue().count("identity.second_subject") == 1
    for private in (address, *subjects, *map(str, users)):
        assert private not in written.getvalue()
