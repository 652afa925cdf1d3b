"""The terms of plans that are or were sold, so that a subscription finds what it bought."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.catalog import Catalog, PlanTerms, plan_from_terms, plan_terms, terms_of
from app.db.engine import Session
from app.db.reads import Reads, all_in
from app.db.tables.provider import PlanTermsRow
from app.store import plan_terms as plan_terms_store
from app.store.plan_terms import KeptTerms

_ID: Final = re.compile(r"[a-z0-9_-]{1,40}-[0-9a-f]{16}", re.ASCII)
_MOST_FORMER_TERMS: Final = 1_000
# Terms that are sold no more never change, and customers on them must not wait longer for each page than others.
_former_terms: dict[str, PlanTerms] = {}


def terms_on_sale(catalog: Catalog, terms_id: str) -> PlanTerms | None:
    """The terms with this id, if they are those of today's catalog."""
    plan = catalog.plan(terms_id.rpartition("-")[0])
    terms = plan_terms(catalog, plan) if plan is not None else None
    return terms if terms is not None and terms.id == terms_id else None


async def find_terms(reads: Reads, catalog: Catalog, terms_id: str) -> PlanTerms | None:
    """The terms with this id, of today's catalog or of any before it; None for an id that names none."""
    known = _known_terms(catalog, terms_id)
    if known is not None:
        return known
    row = await reads.one_of(plan_terms_store.TERMS, terms_id) if _ID.fullmatch(terms_id) else None
    return _remembered(row) if row is not None else None


async def find_terms_in(session: Session, catalog: Catalog, terms_id: str) -> PlanTerms | None:
    """As `find_terms`, for a unit of work."""
    known = _known_terms(catalog, terms_id)
    if known is not None:
        return known
    row = await plan_terms_store.find(session, terms_id)
    return _remembered(row) if row is not None else None


async def kept_terms(session: Session, terms_ids: Sequence[str], workspace_id: UUID | None) -> Sequence[PlanTerms]:
    """Those of the terms with these ids that were ever synced to the provider, but for those of another workspace."""
    valid = [each for each in terms_ids if _ID.fullmatch(each)]
    found = [_terms(row) for row in await all_in(session, plan_terms_store.TERMS, valid)] if valid else []
    return [each for each in found if each.workspace_id in (None, workspace_id)]


async def all_terms(session: Session) -> Sequence[PlanTerms]:
    """All terms that were ever synced to the provider, those of single workspaces too."""
    return [_terms(row) for row in await plan_terms_store.every(session)]


async def terms_open_to(session: Session, workspace_id: UUID | None) -> Sequence[PlanTerms]:
    """All terms that were ever sold to everybody, and those that were made for this workspace."""
    return [_terms(row) for row in await plan_terms_store.open_to(session, workspace_id)]


async def keep_terms(session: Session, catalog: Catalog) -> None:
    """Write down the terms of the catalog's plans, as they are sold from now on."""
    # their texts may be others by now
    _former_terms.clear()
    await plan_terms_store.save(session, [_values(terms) for terms in terms_of_plans(catalog)])


async def keep_terms_of(session: Session, terms: PlanTerms) -> None:
    """Write down terms that somebody is about to have, whether or not the catalog was ever synced to the provider."""
    if await plan_terms_store.find(session, terms.id) is None:
        await plan_terms_store.save(session, [_values(terms)])


def terms_of_plans(catalog: Catalog) -> Sequence[PlanTerms]:
    """The terms of the catalog's plans, legacy ones included."""
    return [plan_terms(catalog, plan) for plan in catalog.plans]


def _known_terms(catalog: Catalog, terms_id: str) -> PlanTerms | None:
    today = terms_on_sale(catalog, terms_id)
    return today if today is not None else _former_terms.get(terms_id)


def _remembered(row: PlanTermsRow | KeptTerms) -> PlanTerms:
    if len(_former_terms) >= _MOST_FORMER_TERMS:
        _former_terms.clear()
    found = _former_terms[row.id] = _terms(row)
    return found


def _values(terms: PlanTerms) -> dict[str, object]:
    return {
        "id": terms.id,
        "plan_code": terms.plan.code,
        "catalog_code": terms.catalog_code,
        "prices_include_tax": terms.prices_include_tax,
        "terms": terms_of(terms.plan),
        "workspace_id": terms.workspace_id,
    }


def _terms(row: PlanTermsRow | KeptTerms) -> PlanTerms:
    return PlanTerms(
        id=row.id,
        plan=plan_from_terms(row.terms),
        catalog_code=row.catalog_code,
        prices_include_tax=row.prices_include_tax,
        workspace_id=row.workspace_id,
    )
