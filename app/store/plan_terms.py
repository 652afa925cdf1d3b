"""The terms on which plans are or were sold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.db.engine import Session
from app.db.reads import KeyedRead
from app.db.tables.provider import PlanTermsRow


class KeptTerms(NamedTuple):
    """Terms on which something was sold; see `PlanTermsRow`."""

    id: str
    catalog_code: str
    prices_include_tax: bool
    terms: dict[str, Any]
    workspace_id: UUID | None


TERMS: Final = KeyedRead[str, KeptTerms](
    "plan_terms",
    "SELECT id, catalog_code, prices_include_tax, terms, workspace_id FROM plan_terms WHERE id = ANY ($1::text[])",
    KeptTerms,
    lambda kept: kept.id,
)
"""The terms on which anything was ever sold, by their id."""


async def find(session: Session, terms_id: str) -> PlanTermsRow | None:
    """The terms with this id."""
    return await session.get(PlanTermsRow, terms_id)


async def every(session: Session) -> Sequence[PlanTermsRow]:
    """All terms that there ever were, those that were made for one workspace too."""
    return (await session.scalars(select(PlanTermsRow).order_by(PlanTermsRow.id))).all()


async def open_to(session: Session, workspace_id: UUID | None) -> Sequence[PlanTermsRow]:
    """All terms that were ever sold to everybody, and those that were made for this workspace."""
    is_open = PlanTermsRow.workspace_id.is_(None)
    if workspace_id is not None:
        is_open |= PlanTermsRow.workspace_id == workspace_id
    return (await session.scalars(select(PlanTermsRow).where(is_open).order_by(PlanTermsRow.id))).all()


async def save(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep terms by their id; of those that are kept already only the texts can differ, which are brought up to date."""
    # in one order, so that two who write the same rows wait for one another
    ordered = sorted(rows, key=lambda row: row["id"])
    put = insert(PlanTermsRow).values([{**row, "created_at": session.now} for row in ordered])
    await session.execute(put.on_conflict_do_update(index_elements=["id"], set_={"terms": put.excluded.terms}))
