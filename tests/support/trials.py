"""The free trial, for tests: people who come by all roads, and what is shown to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.accounts.access.callers import UserCaller
from app.accounts.erasure import erase_person
from app.accounts.people import email_addresses
from app.accounts.people.oidc_identities import authenticate
from app.accounts.people.sign_up import SignUp, sign_up, verify_email
from app.accounts.workspaces.organizations import NewOrganization, create_organization
from app.billing.subscriptions import given_plans
from app.billing.subscriptions.shown_subscription import ShownSubscription, shown_subscription
from app.billing.subscriptions.trials import Trials
from app.catalog import load_catalog
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.access import AuditEventRow
from app.db.tables.subscriptions import NoticeRow, SubscriptionState
from app.db.unit_of_work import transact
from app.oidc.issuer import Issuer
from app.store import workspaces as workspace_store
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    PASSWORD,
    Person,
    new_address,
    new_network,
    new_person,
    queued_mails,
    quick_passwords,
    token_of,
)
from tests.support.oidc import IssuerDouble
from tests.support.running_backend import CATALOGS

CATALOG = load_catalog(CATALOGS / "messaging.toml")
TRIALS = Trials(CATALOG, KEYS.abuse_key)
URL = "https://accounts.example.com"
DAY = timedelta(days=1)
TRIAL = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider, and the product's view of it."""

    double: IssuerDouble
    issuer: Issuer

    async def sign_in(self, database: Database, **claims: object) -> UUID:
        """Sign in with these claims; the user."""
        claims.setdefault("email_verified", True)
        token = self.double.token(header=None, by=None, **claims)
        caller = await authenticate(database, self.issuer, KEYS, token, TRIALS)
        assert isinstance(caller, UserCaller)
        return caller.user_id


async def come(database: Database, address: str | None = None) -> Person:
    """Somebody who has just verified their address, which made their account."""
    return await new_person(database, address=address or new_address(), milestones=TRIALS)


async def follow_sign_up(database: Database, address: str) -> UUID:
    """Sign up by the mailed link; the user."""
    form = SignUp(email_address=address, password=PASSWORD)
    await sign_up(database, quick_passwords(), KEYS, LIMITS_OFF, form, remote_address=new_network(), public_url=URL)
    return await follow(database, address)


async def follow(database: Database, address: str) -> UUID:
    """Follow the newest link that was mailed to an address; the user."""
    token = token_of((await queued_mails(database, address))[-1])
    return (await verify_email(database, KEYS, token, user_agent=None, milestones=TRIALS)).user_id


async def verify_address(database: Database, caller: UserCaller, address: str) -> UUID:
    """Add an address to an account and verify it; its id."""
    row = await email_addresses.add_email(
        database, KEYS, LIMITS_OFF, caller, address, remote_address=new_network(), public_url=URL
    )
    await follow(database, address)
    return row.id


async def delete_account(database: Database, user_id: UUID) -> None:
    """Erase an account with its personal workspace."""

    async def erase(session: Session) -> None:
        workspace_id = await workspace_store.personal_of(session, user_id)
        assert workspace_id is not None
        workspace = await workspace_store.lock(session, workspace_id)
        assert workspace is not None
        await erase_person(session, KEYS, user_id, [workspace])

    await transact(database, erase)


async def make_organization(database: Database, person: Person) -> UUID:
    """Make an organization as a person does; its id."""
    form = NewOrganization("Acme")
    made = await create_organization(
        database, KEYS.abuse_key, LIMITS_OFF, person.caller, form, owners_set_external_ids=True, milestones=TRIALS
    )
    return made.workspace.id


async def personal_of(database: Database, user_id: UUID) -> UUID:
    """The id of a user's personal workspace."""
    async with database.read() as session:
        workspace_id = await workspace_store.personal_of(session, user_id)
    assert workspace_id is not None
    return workspace_id


async def shown_of(database: Database, workspace_id: UUID) -> ShownSubscription:
    """What a workspace is shown to be on."""
    return await shown_subscription(Reads(database), CATALOG, workspace_id)


async def is_on_trial(database: Database, workspace_id: UUID) -> bool:
    """Whether a workspace is on the trial; otherwise it must be on the fallback plan."""
    shown = await shown_of(database, workspace_id)
    is_trial = shown.status is SubscriptionState.TRIALING
    assert shown.choice.terms.plan.code == ("business" if is_trial else "inactive")
    assert (shown.trial_ends_at is not None) == is_trial
    return is_trial


async def has_trial(database: Database, user_id: UUID) -> bool:
    """Whether a user's personal workspace is on the trial."""
    return await is_on_trial(database, await personal_of(database, user_id))


async def trial_actions(database: Database, workspace_id: UUID) -> list[str]:
    """What the audit log of a workspace tells of trials, the oldest first."""
    query = select(AuditEventRow.action).where(AuditEventRow.workspace_id == workspace_id).order_by(AuditEventRow.id)
    async with database.read() as session:
        return [each for each in await session.scalars(query) if each.startswith("trial.")]


async def told(database: Database, workspace_id: UUID) -> list[str]:
    """What the owners of a workspace were mailed about, the oldest first."""
    query = select(NoticeRow.reason).where(NoticeRow.workspace_id == workspace_id).order_by(NoticeRow.created_at)
    async with database.read() as session:
        return [reason.partition(":")[0] for reason in await session.scalars(query)]


async def check(database: Database, workspace_id: UUID) -> None:
    """Do what the worker does with a workspace on a given plan."""
    await transact(database, lambda session: given_plans.check_due(session, CATALOG, workspace_id))
