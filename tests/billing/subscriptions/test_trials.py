"""The free trial: how it begins, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest_asyncio
from sqlalchemy import select

from app.accounts.access.callers import UserCaller
from app.accounts.people import email_addresses
from app.billing.subscriptions.trials import Trials
from app.catalog import AddOnQuantity, load_catalog
from app.db.engine import Database
from app.db.tables.people import UserRow
from app.db.tables.subscriptions import SubscriptionState
from app.db.tables.trials import TrialUseRow
from app.db.unit_of_work import transact
from app.server.demo_user import seed_demo
from tests.support.accounts import (
    KEYS,
    at_later,
    new_address,
    new_person,
)
from tests.support.oidc import issuer_double
from tests.support.running_backend import CATALOGS
from tests.support.trials import (
    DAY,
    TRIAL,
    TRIALS,
    Provider,
    check,
    come,
    follow_sign_up,
    has_trial,
    is_on_trial,
    make_organization,
    personal_of,
    shown_of,
    told,
    trial_actions,
    verify_address,
)


@pytest_asyncio.fixture
async def provider() -> AsyncGenerator[Provider]:
    """An identity provider for this test only."""
    async with issuer_double() as double, double.issuer() as issuer:
        yield Provider(double, issuer)


async def test_following_the_link_of_a_sign_up_begins_the_trial_in_the_personal_workspace(database: Database) -> None:
    user_id = await follow_sign_up(database, new_address())
    workspace_id = await personal_of(database, user_id)
    shown = await shown_of(database, workspace_id)
    assert (shown.choice.terms.plan.code, shown.status) == ("business", SubscriptionState.TRIALING)
    assert (shown.choice.interval, shown.choice.seats) == (None, 5)
    assert shown.choice.add_ons == (AddOnQuantity(code="phone-numbers", quantity=1),)
    assert (shown.renews_at, shown.ends_at, shown.pending) == (None, None, None)
    assert shown.trial_ends_at is not None
    assert timedelta() < database.clock.now() + TRIAL - shown.trial_ends_at < timedelta(minutes=5)
    assert await trial_actions(database, workspace_id) == ["trial.started"]


async def test_a_first_sign_in_with_an_address_that_is_verified_begins_the_trial(
    database: Database, provider: Provider
) -> None:
    assert await has_trial(database, await provider.sign_in(database, email=new_address()))


async def test_an_address_that_nobody_verified_begins_none_until_it_is(database: Database, provider: Provider) -> None:
    address, subject = new_address(), uuid4().hex
    user_id = await provider.sign_in(database, sub=subject, email=address, email_verified=False)
    assert not await has_trial(database, user_id)
    assert await provider.sign_in(database, sub=subject, email=address) == user_id
    assert await has_trial(database, user_id)


async def test_the_link_to_the_first_address_begins_the_trial_of_an_account_that_had_none(
    database: Database, provider: Provider
) -> None:
    user_id = await provider.sign_in(database, email=new_address(), email_verified=False)
    await verify_address(database, UserCaller(user_id, None, None), new_address())
    assert await has_trial(database, user_id)


async def test_the_demo_user_of_development_has_the_trial_of_its_catalog(fresh_database: Database) -> None:
    assert await seed_demo(fresh_database, KEYS.abuse_key, TRIALS)
    async with fresh_database.read() as session:
        user_id = await session.scalar(select(UserRow.id))
    assert user_id is not None
    assert await has_trial(fresh_database, user_id)
    assert not await seed_demo(fresh_database, KEYS.abuse_key, TRIALS)


async def test_a_catalog_without_a_trial_gives_none_and_remembers_nobody(fresh_database: Database) -> None:
    none = Trials(load_catalog(CATALOGS / "analytics.toml"), KEYS.abuse_key)
    person = await new_person(fresh_database, milestones=none)
    assert not await is_on_trial(fresh_database, person.user.personal_workspace_id)
    async with fresh_database.read() as session:
        assert (await session.scalars(select(TrialUseRow))).all() == []


async def test_accounts_from_before_there_were_trials_get_none_by_adding_an_address(database: Database) -> None:
    person, address = await new_person(database), new_address()
    email_id = await verify_address(database, person.caller, address)
    assert not await is_on_trial(database, person.user.personal_workspace_id)
    # and have used nobody's up: they never had one
    await transact(database, lambda session: email_addresses.remove_email(session, KEYS, person.caller, email_id))
    assert await has_trial(database, (await come(database, address)).user.id)


async def test_the_owners_are_told_three_days_before_the_end_and_at_the_end_once_each(database: Database) -> None:
    person = await come(database)
    personal = person.user.personal_workspace_id
    for passed, count in [(10.9, 0), (11.1, 1), (11.1, 1), (12, 1), (14.1, 2), (15, 2)]:
        await check(at_later(database, passed * DAY), personal)
        assert await told(database, personal) == ["TRIAL_ENDS_SOON", "TRIAL_ENDED"][:count]


async def test_where_the_worker_was_stopped_meanwhile_only_the_end_is_told(database: Database) -> None:
    personal = (await come(database)).user.personal_workspace_id
    await check(at_later(database, 20 * DAY), personal)
    assert await told(database, personal) == ["TRIAL_ENDED"]


async def test_the_owners_of_the_organization_are_told_that_took_the_trial_over(database: Database) -> None:
    person = await come(database)
    organization = await make_organization(database, person)
    for passed in (12, 15):
        await check(at_later(database, passed * DAY), organization)
        await check(at_later(database, passed * DAY), person.user.personal_workspace_id)
    assert await told(database, organization) == ["TRIAL_ENDS_SOON", "TRIAL_ENDED"]
    assert await told(database, person.user.personal_workspace_id) == []


async def test_the_trial_is_over_at_its_end_though_no_worker_runs(database: Database) -> None:
    person = await come(database)
    personal = person.user.personal_workspace_id
    assert await is_on_trial(at_later(database, TRIAL - timedelta(minutes=5)), personal)
    shown = await shown_of(at_later(database, TRIAL), personal)
    assert (shown.choice.terms.plan.code, shown.seats.total) == ("inactive", 1)
    assert (shown.status, shown.trial_ends_at, shown.choice.add_ons) == (SubscriptionState.CANCELED, None, ())
    later = at_later(database, TRIAL)
    await check(later, personal)
    assert replace(await shown_of(later, personal), version=0) == replace(shown, version=0)
    assert await trial_actions(database, personal) == ["trial.started", "trial.ended"]
