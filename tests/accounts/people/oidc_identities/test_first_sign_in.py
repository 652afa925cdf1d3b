"""Signing in with the identity provider: finding the user of a token, and the account made at the first sign-in."""

from __future__ import annotations

import io
import time
from typing import Any
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import select

from app.accounts.access.callers import ANONYMOUS, UserCaller
from app.accounts.people.users import require_verified_email
from app.accounts.security.shared_errors import EmailUnverified
from app.db.engine import Database
from app.db.tables.access import AuditEventRow
from app.db.tables.people import UserRow
from app.errors import Unavailable
from app.oidc.issuer import Issuer
from tests.accounts.people.oidc_identities.steps import (
    addresses_of,
    caller_of,
    count,
    user_id_of,
    user_of,
    verified,
    watched,
)
from tests.support.accounts import new_address, new_person
from tests.support.oidc import DISCOVERY, USERINFO, IssuerDouble


async def test_the_first_sign_in_with_a_verified_address_makes_the_account(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address = new_address()
    handle = f"ada-{uuid4().hex[:8]}"
    names = {"given_name": "Ada", "family_name": "Lovelace", "preferred_username": handle}
    token = idp.token(exp=int(time.time()) + 300, **verified(address, **names))
    caller = await caller_of(database, issuer, token)
    assert isinstance(caller, UserCaller)
    assert caller.session_id is None
    assert caller.expires_at is not None
    user = await user_of(database, caller.user_id)
    assert (user.first_name, user.last_name, user.handle, user.visibility) == ("Ada", "Lovelace", handle, "PRIVATE")
    assert await addresses_of(database, caller.user_id) == [(address, True, True)]
    async with database.read() as session:
        await require_verified_email(session, caller.user_id)


async def test_the_same_subject_is_the_same_user_whatever_else_the_token_says(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address = new_address()
    user_id = await user_id_of(database, issuer, idp.token(sub="ada", **verified(address)))
    claim_sets: list[dict[str, Any]] = [{}, verified(address), {"email": new_address()}, {"email": "no address"}]
    for claims in claim_sets:
        assert await user_id_of(database, issuer, idp.token(sub="ada", **claims)) == user_id
    assert await addresses_of(database, user_id) == [(address, True, True)]


async def test_who_is_known_costs_one_statement_and_asks_the_issuer_nothing(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    idp.publish_userinfo()
    address = new_address()
    claim_sets: list[dict[str, Any]] = [verified(address), {}, {"email": address}]
    tokens = [idp.token(sub="ada", **claims) for claims in claim_sets]
    await user_id_of(database, issuer, tokens[0])
    asked = len(idp.asked)
    for token in tokens:
        with watched(database) as statements:
            await user_id_of(database, issuer, token)
        assert len(statements) == 1
    assert len(idp.asked) == asked


async def test_a_verified_address_links_the_account_that_has_verified_it(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address = new_address()
    person = await new_person(database, address=address)
    token = idp.token(**verified(address.upper().replace("EXAMPLE.COM", "example.COM"), given_name="Eve"))
    assert await user_id_of(database, issuer, token) == person.user.id
    assert await user_of(database, person.user.id) == person.user
    assert await addresses_of(database, person.user.id) == [(address, True, True)]
    async with database.read() as session:
        log = select(AuditEventRow).where(AuditEventRow.workspace_id == person.user.personal_workspace_id)
        [linked] = [row for row in (await session.scalars(log)).all() if row.action == "identity.linked"]
    assert (linked.actor_user_id, linked.detail) == (person.user.id, None)


async def test_an_address_that_is_not_verified_links_nothing_and_makes_an_account_that_proves_nothing(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    address = new_address()
    owner = await new_person(database, address=address)
    claims: list[Any] = [False, None, "false", "yes", 1, 0, [True], {}]
    for claimed in claims:
        user_id = await user_id_of(database, issuer, idp.token(email=address, email_verified=claimed))
        assert user_id != owner.user.id
        assert await addresses_of(database, user_id) == [(address, False, False)]
        async with database.read() as session:
            with pytest.raises(EmailUnverified) as raised:
                await require_verified_email(session, user_id)
        assert raised.value.path is None
    assert await addresses_of(database, owner.user.id) == [(address, True, True)]


async def test_an_unverified_claim_does_the_same_whether_or_not_the_address_has_an_account(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    known, unknown = new_address(), new_address()
    await new_person(database, address=known)
    await caller_of(database, issuer, idp.token())
    done: list[list[str]] = []
    for address in (known, unknown):
        with watched(database) as statements:
            await user_id_of(database, issuer, idp.token(email=address, email_verified=False))
        done.append(statements)
    assert done[0] == done[1]


@pytest.mark.parametrize(
    "email", [None, "", "   ", "ada", "ada@localhost", "адa@example.com", "a\0@example.com", 5, ["a"]]
)
async def test_without_an_address_nobody_is_signed_in_and_nothing_is_made(
    database: Database, idp: IssuerDouble, issuer: Issuer, email: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(
        "app.accounts.people.oidc_identities._log", structlog.wrap_logger(structlog.PrintLogger(written))
    )
    before = await count(database, UserRow)
    subject = uuid4().hex
    for _ in range(5):
        token = idp.token(sub=subject, email=email, email_verified=True, given_name="Ada")
        assert await caller_of(database, issuer, token) == ANONYMOUS
    assert await count(database, UserRow) == before
    assert written.getvalue().count("identity.without_address") == 1
    assert subject not in written.getvalue()
    assert "Ada" not in written.getvalue()


async def test_an_address_is_asked_for_where_the_token_names_none(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    idp.publish_userinfo()
    address = new_address()
    person = await new_person(database, address=address)
    token = idp.token(sub="ada")
    idp.people[token] = {"sub": "ada", **verified(address)}
    assert await user_id_of(database, issuer, token) == person.user.id
    other = idp.token(sub="eve")
    idp.people[other] = {"sub": "ada", **verified(address)}
    assert await caller_of(database, issuer, other) == ANONYMOUS


async def test_no_transaction_is_open_while_the_issuer_is_asked(
    fresh_database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    idp.publish_userinfo()
    connections: list[int] = []
    answer = idp.answer

    async def look(asked: Any) -> Any:
        pool: Any = fresh_database.engine.pool
        connections.append(pool.checkedout())
        idp.instead.pop(asked.path)
        return await answer(asked)

    idp.instead = dict.fromkeys((DISCOVERY, "/keys", USERINFO), look)
    token = idp.token(sub="ada")
    idp.people[token] = {"sub": "ada", **verified(new_address())}
    await user_id_of(fresh_database, issuer, token)
    assert connections == [0, 0, 0]


async def test_names_from_the_issuer_are_cleaned_and_cut(database: Database, idp: IssuerDouble, issuer: Issuer) -> None:
    names = {"given_name": " Ada\0\n\u2028 Augusta\t ", "family_name": "L" * 150, "preferred_username": "admin"}
    user = await user_of(database, await user_id_of(database, issuer, idp.token(**verified(new_address(), **names))))
    assert (user.first_name, user.last_name) == ("Ada Augusta", "L" * 100)
    assert user.handle not in ("admin", "")
    odd = {"given_name": 5, "family_name": ["x"], "preferred_username": {"a": 1}}
    user = await user_of(database, await user_id_of(database, issuer, idp.token(**verified(new_address(), **odd))))
    assert (user.first_name, user.last_name) == (None, None)


async def test_a_handle_is_generated_in_place_of_one_that_is_taken(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    handle = f"ada-{uuid4().hex[:8]}"
    await new_person(database, handle=handle)
    for wanted in (handle.upper(), "ada@example.com", "-", "x"):
        token = idp.token(**verified(new_address(), preferred_username=wanted))
        assert (await user_of(database, await user_id_of(database, issuer, token))).handle.lower() not in (
            handle,
            wanted,
        )


async def test_an_issuer_that_is_away_makes_nobody_anonymous(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    idp.goes_down()
    with pytest.raises(Unavailable):
        await caller_of(database, issuer, idp.token(**verified(new_address())))
    assert await caller_of(database, issuer, idp.token(aud="another")) == ANONYMOUS


async def test_userinfo_that_is_away_makes_nothing_and_the_next_try_does(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    idp.publish_userinfo()
    subject = uuid4().hex
    token = idp.token(sub=subject)
    await issuer.verify(token, database.clock.real_now())
    before = await count(database, UserRow)
    idp.goes_down()
    with pytest.raises(Unavailable):
        await caller_of(database, issuer, token)
    assert await count(database, UserRow) == before
    idp.comes_back()
    idp.people[token] = {"sub": subject, **verified(new_address())}
    await user_id_of(database, issuer, token)
