"""Which plan a workspace is on: the one door for all who ask."""

from __future__ import annotations

from uuid import UUID

from app.catalog import Catalog, Plan


def plan_of(catalog: Catalog, workspace_id: UUID) -> Plan:
    """The workspace's plan: the catalog's fallback plan, since none other can be had so far."""
    return catalog.fallback_plan
