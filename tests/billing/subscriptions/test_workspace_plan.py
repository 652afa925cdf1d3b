"""Which plan a workspace is on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import delete

from app.billing.subscriptions import kept_terms
from app.billing.subscriptions.workspace_plan import plan_of, terms_seen
from app.catalog import Plan, load_catalog, plan_terms
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.provider import PlanTermsRow
from app.db.unit_of_work import transact
from app.ids import uuid7
from tests.support.accounts import new_person
from tests.support.running_backend import CATALOGS
from tests.support.subscriptions import choice_of, end_subscription, subscribe

_CATALOG = load_catalog(CATALOGS / "analytics.toml")
_TEAM = choice_of(_CATALOG, "team", 5)
_DEARER = replace(
    _CATALOG,
    plans=tuple(replace(each, requests_per_second=99) if each.code == "team" else each for each in _CATALOG.plans),
)


async def test_a_workspace_is_on_the_fallback_plan_but_for_while_it_subscribes(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id

    async def plans() -> set[str]:
        seen = (await terms_seen(Reads(database), _CATALOG, workspace_id)).plan.code
        async with database.read() as session:
            return {seen, (await plan_of(session, _CATALOG, workspace_id)).code}

    assert await plans() == {"free"}
    await subscribe(database, workspace_id, _TEAM)
    assert await plans() == {"team"}
    await end_subscription(database, workspace_id)
    assert await plans() == {"free"}


async def test_customers_stay_on_the_terms_they_bought_when_the_catalog_changes(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_terms, "_former_terms", {})
    workspace_id = (await new_person(fresh_database)).user.personal_workspace_id
    await subscribe(fresh_database, workspace_id, _TEAM)
    await transact(fresh_database, lambda session: kept_terms.keep_terms(session, _CATALOG))

    seen = await terms_seen(Reads(fresh_database), _DEARER, workspace_id)
    assert seen == _TEAM.terms
    monkeypatch.setattr(kept_terms, "_former_terms", {})
    async with fresh_database.read() as session:
        assert await plan_of(session, _DEARER, workspace_id) == _TEAM.terms.plan


async def test_former_terms_are_read_once_so_that_nobody_on_them_waits_longer_for_each_page(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_terms, "_former_terms", {})
    await transact(fresh_database, lambda session: kept_terms.keep_terms(session, _CATALOG))
    first = await kept_terms.find_terms(Reads(fresh_database), _DEARER, _TEAM.terms.id)
    await transact(fresh_database, lambda session: session.execute(delete(PlanTermsRow)))
    assert first == _TEAM.terms
    assert await kept_terms.find_terms(Reads(fresh_database), _DEARER, _TEAM.terms.id) is first


async def test_terms_that_nobody_knows_give_no_more_than_the_fallback_plan(database: Database) -> None:
    workspace_id = (await new_person(database)).user.personal_workspace_id
    unknown = replace(_TEAM, terms=replace(_TEAM.terms, id="team-0123456789abcdef"))
    await subscribe(database, workspace_id, unknown)
    assert (await terms_seen(Reads(database), _CATALOG, workspace_id)).plan.code == "free"
    async with database.read() as session:
        assert (await plan_of(session, _CATALOG, workspace_id)).code == "free"


async def test_who_is_no_workspace_is_on_the_fallback_plan(database: Database) -> None:
    async def ask(session: Session) -> Plan:
        return await plan_of(session, _CATALOG, uuid7())

    assert (await transact(database, ask)).code == "free"
    assert (await terms_seen(Reads(database), _CATALOG, uuid7())) == plan_terms(_CATALOG, _CATALOG.fallback_plan)
