"""The first organization that somebody makes takes their free trial over."""

from __future__ import annotations

import asyncio

import pytest

from app.accounts.access.audit_log import OPERATOR
from app.accounts.workspaces.organizations import NewOrganization, create_organization
from app.billing.subscriptions import given_plans
from app.db.engine import Database
from app.db.tables.subscriptions import SubscriptionState
from app.db.unit_of_work import transact
from app.errors import DomainError
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    at_later,
    new_person,
)
from tests.support.subscriptions import choice_of, subscribe
from tests.support.trials import (
    CATALOG,
    DAY,
    TRIAL,
    TRIALS,
    check,
    come,
    has_trial,
    is_on_trial,
    make_organization,
    shown_of,
    told,
    trial_actions,
)


async def test_the_first_organization_takes_the_trial_over_with_its_end_and_the_personal_workspace_falls_back(
    database: Database,
) -> None:
    person = await come(database)
    personal = person.user.personal_workspace_id
    before = await shown_of(database, personal)
    organization = await make_organization(at_later(database, 5 * DAY), person)
    shown, left = await shown_of(database, organization), await shown_of(database, personal)
    assert (shown.choice, shown.status) == (before.choice, SubscriptionState.TRIALING)
    assert shown.trial_ends_at == before.trial_ends_at
    assert (left.choice.terms.plan.code, left.seats.total, left.trial_ends_at) == ("inactive", 1, None)
    assert left.version > before.version
    assert await trial_actions(database, personal) == ["trial.started", "trial.moved"]
    assert await trial_actions(database, organization) == ["trial.taken_over"]
    assert await told(database, personal) == []


async def test_of_two_organizations_at_the_same_moment_one_takes_the_trial_over(database: Database) -> None:
    person = await come(database)
    made = await asyncio.gather(*(make_organization(database, person) for _ in range(4)))
    assert sorted([await is_on_trial(database, each) for each in made]) == [False] * 3 + [True]
    assert not await has_trial(database, person.user.id)


async def test_a_second_organization_gets_no_trial(database: Database) -> None:
    person = await come(database)
    await make_organization(database, person)
    assert not await is_on_trial(database, await make_organization(database, person))


@pytest.mark.parametrize("worker_ran", [True, False])
async def test_an_organization_made_after_the_trial_gets_none(database: Database, worker_ran: bool) -> None:
    person = await come(database)
    later = at_later(database, TRIAL)
    if worker_ran:
        await check(later, person.user.personal_workspace_id)
    assert not await is_on_trial(later, await make_organization(later, person))


async def test_an_organization_of_somebody_without_a_trial_gets_none(database: Database) -> None:
    assert not await is_on_trial(database, await make_organization(database, await new_person(database)))


async def test_a_deleted_organization_takes_the_trial_with_it(database: Database) -> None:
    person = await come(database)
    organization = await make_organization(database, person)
    await transact(database, lambda session: given_plans.end(session, CATALOG, organization, actor=OPERATOR))
    assert not await is_on_trial(database, await make_organization(database, person))
    assert not await has_trial(database, person.user.id)


async def test_neither_a_paid_plan_nor_one_that_an_operator_gave_moves_to_an_organization(database: Database) -> None:
    paying, given = await come(database), await come(database)
    await subscribe(database, paying.user.personal_workspace_id, choice_of(CATALOG, "starter", 2), trial_ends_at=None)
    starter = choice_of(CATALOG, "starter", 3, None)
    workspace_id = given.user.personal_workspace_id
    await transact(database, lambda session: given_plans.give(session, CATALOG, workspace_id, starter, actor=OPERATOR))
    for person in (paying, given):
        assert (
            await shown_of(database, await make_organization(database, person))
        ).choice.terms.plan.code == "inactive"
        shown = await shown_of(database, person.user.personal_workspace_id)
        assert shown.choice.terms.plan.code == "starter"


async def test_an_organization_that_is_refused_leaves_the_trial_where_it_is(database: Database) -> None:
    person = await come(database)
    form = NewOrganization("Acme", handle=person.user.handle)
    with pytest.raises(DomainError):
        await create_organization(
            database, KEYS.abuse_key, LIMITS_OFF, person.caller, form, owners_set_external_ids=True, milestones=TRIALS
        )
    assert await has_trial(database, person.user.id)
