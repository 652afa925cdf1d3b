"""Which plan a workspace is on: all other code asks here."""

from __future__ import annotations

from uuid import UUID

import structlog

from app.billing.subscriptions.given_plans import as_of, is_in_force
from app.billing.subscriptions.kept_terms import find_terms, find_terms_in
from app.billing.subscriptions.plan_refusals import NotSelfServe
from app.catalog import Catalog, Plan, PlanKind, PlanTerms, plan_terms
from app.db.engine import Session
from app.db.reads import Reads
from app.store import subscriptions as subscription_store
from app.store.subscriptions import Subscribed

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def terms_seen(reads: Reads, catalog: Catalog, workspace_id: UUID) -> PlanTerms:
    """The plan that a workspace is on, with the terms it has it on."""
    subscribed = await reads.one_of(subscription_store.SUBSCRIBED, workspace_id)
    return await terms_of_subscribed(reads, catalog, as_of(subscribed, reads.now) if subscribed is not None else None)


async def terms_of_subscribed(reads: Reads, catalog: Catalog, subscribed: Subscribed | None) -> PlanTerms:
    """The plan that a workspace is on which subscribes to this: the fallback plan where it subscribes to nothing."""
    terms_id = subscribed.terms_id if subscribed is not None else None
    if terms_id is None:
        return fallback_terms(catalog)
    return known_terms(catalog, terms_id, await find_terms(reads, catalog, terms_id))


async def plan_of(session: Session, catalog: Catalog, workspace_id: UUID) -> Plan:
    """The plan that a workspace is on, as a unit of work sees it."""
    row = await subscription_store.find(session, workspace_id)
    if row is None or row.terms_id is None or not is_in_force(row, session.now):
        return catalog.fallback_plan
    return known_terms(catalog, row.terms_id, await find_terms_in(session, catalog, row.terms_id)).plan


async def require_self_serve(session: Session, catalog: Catalog, workspace_id: UUID) -> None:
    """Raise `NotSelfServe` for a workspace without a paid subscription that is on a plan by contract, which operators give."""
    plan = await plan_of(session, catalog, workspace_id)
    if plan.kind is PlanKind.ENTERPRISE:
        raise NotSelfServe.present(plan)


def fallback_terms(catalog: Catalog) -> PlanTerms:
    """What a workspace is on that subscribes to nothing."""
    return plan_terms(catalog, catalog.fallback_plan)


def known_terms(catalog: Catalog, terms_id: str, found: PlanTerms | None) -> PlanTerms:
    """The terms that were found; the fallback plan's for an id that names none, since nobody gets more than is known to be paid."""
    if found is None:
        _log.error("subscription.terms_unknown", terms_id=terms_id)
        return fallback_terms(catalog)
    return found
