"""The free trial: once for each person, by whatever road they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import select

from app.accounts.access.audit_log import OPERATOR
from app.accounts.access.callers import UserCaller
from app.accounts.erasure import erase_person
from app.accounts.people import email_addresses
from app.accounts.people.oidc_identities import authenticate
from app.accounts.people.sign_up import SignUp, sign_up, verify_email
from app.accounts.security.secrets import Keys, derive_keys
from app.accounts.workspaces.organizations import NewOrganization, create_organization
from app.billing.subscriptions import given_plans
from app.billing.subscriptions.shown_subscription import ShownSubscription, shown_subscription
from app.billing.subscriptions.trials import REMEMBERED_FOR, Trials, mailbox_of
from app.catalog import AddOnQuantity, load_catalog
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.access import AuditEventRow
from app.db.tables.subscriptions import NoticeRow, SubscriptionState
from app.db.tables.trials import TrialUseRow
from app.db.unit_of_work import transact
from app.errors import DomainError
from app.oidc.issuer import Issuer
from app.store import email_addresses as email_address_store
from app.store import trial_uses as trial_use_store
from app.store import workspaces as workspace_store
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    PASSWORD,
    SECRET_KEY,
    Person,
    at_later,
    new_address,
    new_network,
    new_person,
    queued_mails,
    quick_passwords,
    token_of,
)
from tests.support.oidc import IssuerDouble, issuer_double
from tests.support.running_backend import CATALOGS
from tests.support.subscriptions import choice_of, subscribe

_CATALOG = load_catalog(CATALOGS / "messaging.toml")
_TRIALS = Trials(_CATALOG, KEYS.abuse_key)
_URL = "https://accounts.example.com"
_DAY = timedelta(days=1)
_TRIAL = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class _Provider:
    """An identity provider, and the product's view of it."""

    double: IssuerDouble
    issuer: Issuer

    async def sign_in(self, database: Database, **claims: object) -> UUID:
        """Sign in with these claims; the user."""
        claims.setdefault("email_verified", True)
        token = self.double.token(header=None, by=None, **claims)
        caller = await authenticate(database, self.issuer, KEYS, token, _TRIALS)
        assert isinstance(caller, UserCaller)
        return caller.user_id


@pytest_asyncio.fixture
async def provider() -> AsyncGenerator[_Provider]:
    """An identity provider for this test only."""
    async with issuer_double() as double, double.issuer() as issuer:
        yield _Provider(double, issuer)


async def _come(database: Database, address: str | None = None) -> Person:
    """Somebody who has just verified their address, which made their account."""
    return await new_person(database, address=address or new_address(), milestones=_TRIALS)


async def _follow_sign_up(database: Database, address: str) -> UUID:
    """Sign up by the mailed link; the user."""
    form = SignUp(email_address=address, password=PASSWORD)
    await sign_up(database, quick_passwords(), KEYS, LIMITS_OFF, form, remote_address=new_network(), public_url=_URL)
    return await _follow(database, address)


async def _follow(database: Database, address: str) -> UUID:
    token = token_of((await queued_mails(database, address))[-1])
    return (await verify_email(database, KEYS, token, user_agent=None, milestones=_TRIALS)).user_id


async def _verify(database: Database, caller: UserCaller, address: str) -> UUID:
    """Add an address to an account and verify it; its id."""
    row = await email_addresses.add_email(
        database, KEYS, LIMITS_OFF, caller, address, remote_address=new_network(), public_url=_URL
    )
    await _follow(database, address)
    return row.id


async def _delete_account(database: Database, user_id: UUID) -> None:
    async def erase(session: Session) -> None:
        workspace_id = await workspace_store.personal_of(session, user_id)
        assert workspace_id is not None
        workspace = await workspace_store.lock(session, workspace_id)
        assert workspace is not None
        await erase_person(session, KEYS, user_id, [workspace])

    await transact(database, erase)


async def _organization(database: Database, person: Person) -> UUID:
    form = NewOrganization("Acme")
    made = await create_organization(
        database, KEYS.abuse_key, LIMITS_OFF, person.caller, form, owners_set_external_ids=True, milestones=_TRIALS
    )
    return made.workspace.id


async def _personal_of(database: Database, user_id: UUID) -> UUID:
    async with database.read() as session:
        workspace_id = await workspace_store.personal_of(session, user_id)
    assert workspace_id is not None
    return workspace_id


async def _shown(database: Database, workspace_id: UUID) -> ShownSubscription:
    return await shown_subscription(Reads(database), _CATALOG, workspace_id)


async def _is_on_trial(database: Database, workspace_id: UUID) -> bool:
    shown = await _shown(database, workspace_id)
    is_trial = shown.status is SubscriptionState.TRIALING
    assert shown.choice.terms.plan.code == ("business" if is_trial else "inactive")
    assert (shown.trial_ends_at is not None) == is_trial
    return is_trial


async def _has_trial(database: Database, user_id: UUID) -> bool:
    return await _is_on_trial(database, await _personal_of(database, user_id))


async def _actions(database: Database, workspace_id: UUID) -> list[str]:
    query = select(AuditEventRow.action).where(AuditEventRow.workspace_id == workspace_id).order_by(AuditEventRow.id)
    async with database.read() as session:
        return [each for each in await session.scalars(query) if each.startswith("trial.")]


async def _told(database: Database, workspace_id: UUID) -> list[str]:
    query = select(NoticeRow.reason).where(NoticeRow.workspace_id == workspace_id).order_by(NoticeRow.created_at)
    async with database.read() as session:
        return [reason.partition(":")[0] for reason in await session.scalars(query)]


async def _check(database: Database, workspace_id: UUID) -> None:
    await transact(database, lambda session: given_plans.check_due(session, workspace_id))


# ---------------------------------------------------------------- beginning


async def test_following_the_link_of_a_sign_up_begins_the_trial_in_the_personal_workspace(database: Database) -> None:
    user_id = await _follow_sign_up(database, new_address())
    workspace_id = await _personal_of(database, user_id)
    shown = await _shown(database, workspace_id)
    assert (shown.choice.terms.plan.code, shown.status) == ("business", SubscriptionState.TRIALING)
    assert (shown.choice.interval, shown.choice.seats) == (None, 5)
    assert shown.choice.add_ons == (AddOnQuantity(code="phone-numbers", quantity=1),)
    assert (shown.renews_at, shown.ends_at, shown.pending) == (None, None, None)
    assert shown.trial_ends_at is not None
    assert timedelta() < database.clock.now() + _TRIAL - shown.trial_ends_at < timedelta(minutes=5)
    assert await _actions(database, workspace_id) == ["trial.started"]


async def test_a_first_sign_in_with_an_address_that_is_verified_begins_the_trial(
    database: Database, provider: _Provider
) -> None:
    assert await _has_trial(database, await provider.sign_in(database, email=new_address()))


async def test_an_address_that_nobody_verified_begins_none_until_it_is(database: Database, provider: _Provider) -> None:
    address, subject = new_address(), uuid4().hex
    user_id = await provider.sign_in(database, sub=subject, email=address, email_verified=False)
    assert not await _has_trial(database, user_id)
    assert await provider.sign_in(database, sub=subject, email=address) == user_id
    assert await _has_trial(database, user_id)


async def test_the_link_to_the_first_address_begins_the_trial_of_an_account_that_had_none(
    database: Database, provider: _Provider
) -> None:
    user_id = await provider.sign_in(database, email=new_address(), email_verified=False)
    await _verify(database, UserCaller(user_id, None, None), new_address())
    assert await _has_trial(database, user_id)


async def test_a_catalog_without_a_trial_gives_none_and_remembers_nobody(fresh_database: Database) -> None:
    none = Trials(load_catalog(CATALOGS / "analytics.toml"), KEYS.abuse_key)
    person = await new_person(fresh_database, milestones=none)
    assert not await _is_on_trial(fresh_database, person.user.personal_workspace_id)
    async with fresh_database.read() as session:
        assert (await session.scalars(select(TrialUseRow))).all() == []


async def test_accounts_from_before_there_were_trials_get_none_by_adding_an_address(database: Database) -> None:
    person, address = await new_person(database), new_address()
    email_id = await _verify(database, person.caller, address)
    assert not await _is_on_trial(database, person.user.personal_workspace_id)
    # and have used nobody's up: they never had one
    await transact(database, lambda session: email_addresses.remove_email(session, KEYS, person.caller, email_id))
    assert await _has_trial(database, (await _come(database, address)).user.id)


# ---------------------------------------------------------------- once for each person


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("ada@example.com", "ada@example.com"),
        ("ada+one@example.com", "ada@example.com"),
        ("ada+one+two@example.com", "ada@example.com"),
        ("a.da@example.com", "a.da@example.com"),
        ("a.d.a+x@gmail.com", "ada@gmail.com"),
        ("a.da@googlemail.com", "ada@gmail.com"),
        ("+ada@example.com", "+ada@example.com"),
        ("+ada+x@example.com", "+ada@example.com"),
    ],
)
def test_a_mailbox_counts_once_however_its_address_is_written(address: str, mailbox: str) -> None:
    assert mailbox_of(address) == mailbox


@pytest.mark.parametrize("form", ["{}+2@example.com", "{}+news+x@example.com"])
async def test_a_plus_address_gives_no_second_trial(database: Database, form: str) -> None:
    name = uuid4().hex
    first = await _come(database, f"{name}@example.com")
    assert await _has_trial(database, first.user.id)
    await _delete_account(database, first.user.id)
    assert not await _has_trial(database, await _follow_sign_up(database, form.format(name)))


async def test_dots_and_the_other_name_of_gmail_give_no_second_trial(database: Database) -> None:
    name = uuid4().hex
    await _come(database, f"{name}@gmail.com")
    assert not await _has_trial(database, (await _come(database, f"{name[:3]}.{name[3:]}@gmail.com")).user.id)
    assert not await _has_trial(database, (await _come(database, f"{name}@googlemail.com")).user.id)


async def test_a_deleted_account_and_a_new_one_have_one_trial_together(database: Database) -> None:
    address = new_address()
    first = await _follow_sign_up(database, address)
    assert await _has_trial(database, first)
    await _delete_account(database, first)
    second = await _follow_sign_up(database, address)
    assert second != first
    assert not await _has_trial(database, second)


async def test_signing_in_through_the_provider_after_a_deletion_gives_no_second_trial(
    database: Database, provider: _Provider
) -> None:
    address = new_address()
    await _delete_account(database, (await _come(database, address)).user.id)
    assert not await _has_trial(database, await provider.sign_in(database, email=address))


async def test_of_two_accounts_of_one_mailbox_at_the_same_moment_one_has_the_trial(database: Database) -> None:
    name = uuid4().hex
    people = await asyncio.gather(*(_come(database, f"{name}+{number}@example.com") for number in range(6)))
    assert sorted([await _has_trial(database, each.user.id) for each in people]) == [False] * 5 + [True]


async def test_an_address_added_later_gives_no_second_trial_here_nor_in_another_account(database: Database) -> None:
    person, address = await _come(database), new_address()
    personal = person.user.personal_workspace_id
    later = at_later(database, _TRIAL)
    await _check(later, personal)
    email_id = await _verify(later, person.caller, address)
    assert not await _is_on_trial(later, personal)
    await transact(later, lambda session: email_addresses.remove_email(session, KEYS, person.caller, email_id))
    assert not await _has_trial(later, (await _come(later, address)).user.id)


async def test_another_primary_address_gives_no_second_trial_nor_does_the_former_one(database: Database) -> None:
    former, address = new_address(), new_address()
    person = await _come(database, former)
    email_id = await _verify(database, person.caller, address)
    ended = at_later(database, _TRIAL)

    async def change(session: Session) -> None:
        before = await email_address_store.primary(session, person.user.id)
        assert before is not None
        await email_addresses.set_primary(session, KEYS, person.caller, email_id)
        await email_addresses.remove_email(session, KEYS, person.caller, before.id)

    await transact(ended, change)
    assert not await _is_on_trial(ended, person.user.personal_workspace_id)
    assert not await _has_trial(ended, (await _come(ended, former)).user.id)
    await _delete_account(ended, person.user.id)
    assert not await _has_trial(ended, (await _come(ended, address)).user.id)


async def test_an_account_that_was_refused_a_trial_gets_none_by_a_fresh_address(database: Database) -> None:
    address, fresh = new_address(), new_address()
    await _delete_account(database, (await _come(database, address)).user.id)
    again = await _come(database, address)
    email_id = await _verify(database, again.caller, fresh)
    assert not await _has_trial(database, again.user.id)
    await transact(database, lambda session: email_addresses.remove_email(session, KEYS, again.caller, email_id))
    assert not await _has_trial(database, (await _come(database, fresh)).user.id)


async def test_another_address_at_the_provider_gives_no_second_trial(database: Database, provider: _Provider) -> None:
    address, moved, subject = new_address(), new_address(), uuid4().hex
    await _delete_account(database, (await _come(database, address)).user.id)
    user_id = await provider.sign_in(database, sub=subject, email=address)
    assert not await _has_trial(database, user_id)
    assert await provider.sign_in(database, sub=subject, email=moved) == user_id
    assert not await _has_trial(database, user_id)
    await _delete_account(database, user_id)
    assert not await _has_trial(database, (await _come(database, moved)).user.id)


async def test_an_address_that_was_only_claimed_uses_nobodys_trial_up(database: Database) -> None:
    person, victim = await _come(database), new_address()
    await email_addresses.add_email(
        database, KEYS, LIMITS_OFF, person.caller, victim, remote_address=new_network(), public_url=_URL
    )
    assert await _has_trial(database, (await _come(database, victim)).user.id)


async def test_a_sign_up_that_was_not_confirmed_uses_nobodys_trial_up(database: Database) -> None:
    address = new_address()
    form = SignUp(email_address=address, password=PASSWORD)
    await sign_up(database, quick_passwords(), KEYS, LIMITS_OFF, form, remote_address=new_network(), public_url=_URL)
    assert await _has_trial(database, await _follow_sign_up(database, address))


async def test_who_had_a_trial_is_remembered_by_hashes_alone_for_three_years_after_they_came_last(
    fresh_database: Database,
) -> None:
    address = new_address()
    person = await _come(fresh_database, address)
    await _delete_account(fresh_database, person.user.id)
    async with fresh_database.read() as session:
        rows = (await session.scalars(select(TrialUseRow))).all()
        kept = repr([(row.identity_hash, row.kept_until) for row in rows])
    assert address not in kept
    assert str(person.user.id) not in kept
    assert {len(row.identity_hash) for row in rows} == {32}
    almost = at_later(fresh_database, REMEMBERED_FOR - _DAY)
    await transact(almost, trial_use_store.forget_lapsed)
    again = await _come(almost, address)
    assert not await _has_trial(almost, again.user.id)
    await _delete_account(almost, again.user.id)
    much_later = at_later(fresh_database, 2 * REMEMBERED_FOR)
    assert await _has_trial(much_later, (await _come(much_later, address)).user.id)


@pytest.mark.parametrize(
    "keys",
    [derive_keys(SECRET_KEY, "a pepper for tests only"), derive_keys("another secret", "a pepper", [SECRET_KEY])],
    ids=["a first pepper", "a former one"],
)
async def test_who_had_a_trial_is_known_under_another_pepper_and_hashed_anew(database: Database, keys: Keys) -> None:
    address = new_address()
    await _delete_account(database, (await _come(database, address)).user.id)
    moved = Trials(_CATALOG, keys.abuse_key)
    again = await new_person(database, address=address, milestones=moved)
    assert not await _has_trial(database, again.user.id)
    present, former = keys.abuse_key.hash("trial-mailbox", address), KEYS.abuse_key.hash("trial-mailbox", address)
    async with database.read() as session:
        assert await trial_use_store.is_any_known(session, [present])
        assert not await trial_use_store.is_any_known(session, [former])


# ---------------------------------------------------------------- taken over by an organization


async def test_the_first_organization_takes_the_trial_over_with_its_end_and_the_personal_workspace_falls_back(
    database: Database,
) -> None:
    person = await _come(database)
    personal = person.user.personal_workspace_id
    before = await _shown(database, personal)
    organization = await _organization(at_later(database, 5 * _DAY), person)
    shown, left = await _shown(database, organization), await _shown(database, personal)
    assert (shown.choice, shown.status) == (before.choice, SubscriptionState.TRIALING)
    assert shown.trial_ends_at == before.trial_ends_at
    assert (left.choice.terms.plan.code, left.seats.total, left.trial_ends_at) == ("inactive", 1, None)
    assert left.version > before.version
    assert await _actions(database, personal) == ["trial.started", "trial.moved"]
    assert await _actions(database, organization) == ["trial.taken_over"]
    assert await _told(database, personal) == []


async def test_of_two_organizations_at_the_same_moment_one_takes_the_trial_over(database: Database) -> None:
    person = await _come(database)
    made = await asyncio.gather(*(_organization(database, person) for _ in range(4)))
    assert sorted([await _is_on_trial(database, each) for each in made]) == [False] * 3 + [True]
    assert not await _has_trial(database, person.user.id)


async def test_a_second_organization_gets_no_trial(database: Database) -> None:
    person = await _come(database)
    await _organization(database, person)
    assert not await _is_on_trial(database, await _organization(database, person))


@pytest.mark.parametrize("worker_ran", [True, False])
async def test_an_organization_made_after_the_trial_gets_none(database: Database, worker_ran: bool) -> None:
    person = await _come(database)
    later = at_later(database, _TRIAL)
    if worker_ran:
        await _check(later, person.user.personal_workspace_id)
    assert not await _is_on_trial(later, await _organization(later, person))


async def test_an_organization_of_somebody_without_a_trial_gets_none(database: Database) -> None:
    assert not await _is_on_trial(database, await _organization(database, await new_person(database)))


async def test_a_deleted_organization_takes_the_trial_with_it(database: Database) -> None:
    person = await _come(database)
    organization = await _organization(database, person)
    await transact(database, lambda session: given_plans.end(session, organization, actor=OPERATOR))
    assert not await _is_on_trial(database, await _organization(database, person))
    assert not await _has_trial(database, person.user.id)


async def test_neither_a_paid_plan_nor_one_that_an_operator_gave_moves_to_an_organization(database: Database) -> None:
    paying, given = await _come(database), await _come(database)
    await subscribe(database, paying.user.personal_workspace_id, choice_of(_CATALOG, "starter", 2), trial_ends_at=None)
    starter = choice_of(_CATALOG, "starter", 3, None)
    workspace_id = given.user.personal_workspace_id
    await transact(database, lambda session: given_plans.give(session, workspace_id, starter, actor=OPERATOR))
    for person in (paying, given):
        assert (await _shown(database, await _organization(database, person))).choice.terms.plan.code == "inactive"
        shown = await _shown(database, person.user.personal_workspace_id)
        assert shown.choice.terms.plan.code == "starter"


async def test_an_organization_that_is_refused_leaves_the_trial_where_it_is(database: Database) -> None:
    person = await _come(database)
    form = NewOrganization("Acme", handle=person.user.handle)
    with pytest.raises(DomainError):
        await create_organization(
            database, KEYS.abuse_key, LIMITS_OFF, person.caller, form, owners_set_external_ids=True, milestones=_TRIALS
        )
    assert await _has_trial(database, person.user.id)


# ---------------------------------------------------------------- the end


async def test_the_owners_are_told_three_days_before_the_end_and_at_the_end_once_each(database: Database) -> None:
    person = await _come(database)
    personal = person.user.personal_workspace_id
    for passed, told in [(10.9, 0), (11.1, 1), (11.1, 1), (12, 1), (14.1, 2), (15, 2)]:
        await _check(at_later(database, passed * _DAY), personal)
        assert await _told(database, personal) == ["TRIAL_ENDS_SOON", "TRIAL_ENDED"][:told]


async def test_where_the_worker_was_stopped_meanwhile_only_the_end_is_told(database: Database) -> None:
    personal = (await _come(database)).user.personal_workspace_id
    await _check(at_later(database, 20 * _DAY), personal)
    assert await _told(database, personal) == ["TRIAL_ENDED"]


async def test_the_owners_of_the_organization_are_told_that_took_the_trial_over(database: Database) -> None:
    person = await _come(database)
    organization = await _organization(database, person)
    for passed in (12, 15):
        await _check(at_later(database, passed * _DAY), organization)
        await _check(at_later(database, passed * _DAY), person.user.personal_workspace_id)
    assert await _told(database, organization) == ["TRIAL_ENDS_SOON", "TRIAL_ENDED"]
    assert await _told(database, person.user.personal_workspace_id) == []


async def test_the_trial_is_over_at_its_end_though_no_worker_runs(database: Database) -> None:
    person = await _come(database)
    personal = person.user.personal_workspace_id
    assert await _is_on_trial(at_later(database, _TRIAL - timedelta(minutes=5)), personal)
    shown = await _shown(at_later(database, _TRIAL), personal)
    assert (shown.choice.terms.plan.code, shown.seats.total) == ("inactive", 1)
    assert (shown.status, shown.trial_ends_at, shown.choice.add_ons) == (SubscriptionState.CANCELED, None, ())
    later = at_later(database, _TRIAL)
    await _check(later, personal)
    assert replace(await _shown(later, personal), version=0) == replace(shown, version=0)
    assert await _actions(database, personal) == ["trial.started", "trial.ended"]
