"""The terms a customer bought: a plan as JSON, so that a later catalog can't change it for those who are on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from app.catalog.catalog_values import Catalog
from app.catalog.plan_values import Plan

_PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
# What describes a plan, places it among the others or offers it can change without changing what was bought.
_NOT_BINDING = {"name", "description", "features", "rank", "trial", "contact_url", "transition"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """A plan as it is sold, or was. `id` names exactly these terms: other terms have another, while the code stays.

    `workspace_id` is the one workspace that they were made for by an operator, None for what a catalog sells to everybody.
    """

    id: str
    plan: Plan
    catalog_code: str
    prices_include_tax: bool
    workspace_id: UUID | None = None


def plan_terms(catalog: Catalog, plan: Plan) -> PlanTerms:
    """The terms on which the catalog sells a plan."""
    return PlanTerms(
        id=_terms_id(plan, catalog.code, catalog.prices_include_tax),
        plan=plan,
        catalog_code=catalog.code,
        prices_include_tax=catalog.prices_include_tax,
    )


def own_terms(catalog: Catalog, plan: Plan, workspace_id: UUID) -> PlanTerms:
    """The terms of a plan that was made for one workspace: its id is that of no other workspace's."""
    return PlanTerms(
        id=_terms_id(plan, catalog.code, catalog.prices_include_tax, workspace_id),
        plan=plan,
        catalog_code=catalog.code,
        prices_include_tax=catalog.prices_include_tax,
        workspace_id=workspace_id,
    )


@lru_cache(maxsize=1024)
def _terms_id(plan: Plan, catalog_code: str, prices_include_tax: bool, workspace_id: UUID | None = None) -> str:
    """The plan's code and a digest of all that makes other terms: a price of 9.00 without its tax is another one."""
    sold = f"{catalog_code}:{'inclusive' if prices_include_tax else 'exclusive'}:{terms_version(plan)}"
    if workspace_id is not None:
        sold += f":{workspace_id}"
    return f"{plan.code}-{hashlib.sha256(sold.encode()).hexdigest()[:16]}"


def terms_of(plan: Plan) -> dict[str, Any]:
    """The whole plan as JSON values, to be kept with a subscription."""
    return _PLAN.dump_python(plan, mode="json")


def plan_from_terms(terms: Mapping[str, Any]) -> Plan:
    """The plan that `terms_of` wrote down; raises `ValueError` if it didn't."""
    return _PLAN.validate_python(terms)


def terms_version(plan: Plan) -> str:
    """16 hexadecimal digits that are equal for equal terms: prices, seats, allowances, add-ons and limits.

    Neither texts nor the order in which things are listed count.
    """
    ordered = replace(
        plan,
        prices=tuple(sorted(plan.prices, key=lambda price: price.interval)),
        allowances=tuple(sorted(plan.allowances, key=lambda allowance: allowance.resource)),
        add_ons=tuple(sorted(plan.add_ons, key=lambda add_on: add_on.code)),
    )
    # Defaults are left out, so that a key that plans gain later leaves the versions of those without it alone.
    terms = _PLAN.dump_python(ordered, mode="json", exclude=_NOT_BINDING, exclude_defaults=True)
    canonical = json.dumps(terms, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
