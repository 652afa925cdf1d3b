"""The free trial: ours alone, once for each person, in the personal workspace until an organization takes it over.

It begins in the unit in which somebody's first address becomes verified, which for most is the one that makes the account. Who has
had one is known again by keyed hashes: of the account, and of every address that the account has verified or will. An address
counts without what people may add to it at will (`mailbox_of`), so that one mailbox is one person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.accounts.access import audit_log
from app.accounts.access.audit_log import Actor
from app.accounts.security.secrets import HashKeys
from app.billing.subscriptions import given_plans, subscription_states
from app.billing.subscriptions.kept_terms import find_terms_in
from app.billing.subscriptions.plan_choice import PlanChoice, add_on_quantities
from app.catalog import Catalog, Plan, plan_terms
from app.db.engine import Session
from app.db.tables.subscriptions import SubscriptionRow, SubscriptionState
from app.store import billing_accounts as billing_account_store
from app.store import subscriptions as subscription_store
from app.store import trial_uses as trial_use_store
from app.store import workspaces as workspace_store

REMEMBERED_FOR: Final = timedelta(days=3 * 365)
"""How long it is known who had a trial, after they came last."""

# Of these providers all addresses that differ in dots alone, or between the two names, are one mailbox.
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})


def mailbox_of(address_key: str) -> str:
    """The mailbox that an address in lower case leads to: without what follows a plus, and for Gmail without dots."""
    local, _, domain = address_key.rpartition("@")
    # an address may begin with the plus
    local = local[:1] + local[1:].partition("+")[0]
    if domain in _GMAIL:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


@dataclass(frozen=True, slots=True)
class Trials:
    """The trials of a catalog, told of those who come (see `Milestones`); `abuse_key` hashes who has had one."""

    catalog: Catalog
    abuse_key: HashKeys

    async def address_verified(self, session: Session, user_id: UUID, address_key: str, *, is_first: bool) -> None:
        """Begin the trial of somebody new. Of somebody who has had one, or was refused one, remember this address too."""
        plan = self.catalog.trial_plan
        if plan is None:
            return
        identities = (("trial-account", str(user_id)), ("trial-mailbox", mailbox_of(address_key)))
        hashes = [self.abuse_key.hash(*each) for each in identities]
        former = [each for identity in identities for each in self.abuse_key.former_hashes(*identity)]
        is_known = await trial_use_store.is_any_known(session, [*hashes, *former])
        if not is_known and not is_first:
            # an account from before there were trials
            return
        are_new = await trial_use_store.remember(session, hashes, until=session.now + REMEMBERED_FOR)
        await trial_use_store.forget(session, former)
        if are_new and not is_known:
            await self._begin(session, user_id, plan)

    async def organization_created(self, session: Session, user_id: UUID, workspace_id: UUID) -> None:
        """Let the first organization that somebody makes during their trial take it over, with its end; nothing otherwise.

        The user is locked: of two organizations at once the second finds the trial gone.
        """
        personal_id = await workspace_store.personal_of(session, user_id)
        if personal_id is None or not _is_on_trial(session, await subscription_store.find(session, personal_id)):
            return
        await billing_account_store.lock(session, personal_id)
        row = await subscription_store.lock(session, personal_id)
        if row is None or row.terms_id is None or row.seats is None or not _is_on_trial(session, row):
            return
        terms = await find_terms_in(session, self.catalog, row.terms_id)
        if terms is None:
            return
        choice, ends_at = PlanChoice(terms, None, row.seats, add_on_quantities(row.add_ons)), row.trial_ends_at
        actor, before = Actor(user_id=user_id), subscription_states.summary_of(row)
        await given_plans.fall_back(session, self.catalog, row)
        summary = "The free trial went to an organization that its user made."
        await audit_log.record(session, personal_id, actor, "trial.moved", summary, before=before)
        await billing_account_store.lock(session, workspace_id)
        taken = await given_plans.put(
            session, self.catalog, workspace_id, choice, status=SubscriptionState.TRIALING, trial_ends_at=ends_at
        )
        summary = "The organization took over the free trial of the user who made it."
        after = subscription_states.summary_of(taken)
        await audit_log.record(session, workspace_id, actor, "trial.taken_over", summary, after=after)

    async def _begin(self, session: Session, user_id: UUID, plan: Plan) -> None:
        """Begin a trial in the personal workspace, unless that is on something, or was."""
        trial, workspace_id = plan.trial, await workspace_store.personal_of(session, user_id)
        if trial is None or workspace_id is None:
            return
        await billing_account_store.lock(session, workspace_id)
        if await subscription_store.lock(session, workspace_id) is not None:
            return
        choice = PlanChoice(plan_terms(self.catalog, plan), None, trial.seats, trial.add_ons)
        ends_at = session.now + timedelta(days=trial.days)
        row = await given_plans.put(
            session, self.catalog, workspace_id, choice, status=SubscriptionState.TRIALING, trial_ends_at=ends_at
        )
        after = {**subscription_states.summary_of(row), "endsAt": ends_at.isoformat()}
        actor = Actor(user_id=user_id)
        await audit_log.record(session, workspace_id, actor, "trial.started", "A free trial began.", after=after)


def _is_on_trial(session: Session, row: SubscriptionRow | None) -> bool:
    return row is not None and row.trial_ends_at is not None and given_plans.is_in_force(row, session.now)
