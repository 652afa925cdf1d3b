"""What is and was sold to a workspace: the terms of plans, and the provider's ids of the recurring prices that bill them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.billing.subscriptions.goals import Prices
from app.billing.subscriptions.kept_terms import terms_of_plans, terms_open_to
from app.catalog import Catalog, PlanTerms, terms_prices
from app.db.engine import Session
from app.store import provider_events as provider_event_store


@dataclass(frozen=True, slots=True)
class Sold:
    """The catalog, all terms that a workspace may be on, and the provider's ids of their prices by lookup key.

    Those are the terms that were ever sold to everybody, and those that were made for the workspace, never another's.
    """

    catalog: Catalog
    by_id: Mapping[str, PlanTerms]
    price_ids: Mapping[str, str]

    @property
    def prices(self) -> Prices:
        """The recurring prices, to bill a choice by."""
        return Prices(self.catalog, self.price_ids)

    @property
    def lookup_keys(self) -> dict[str, str]:
        """The lookup keys of the recurring prices, by the provider's ids."""
        return {price_id: key for key, price_id in self.price_ids.items()}

    def candidates(self, *preferred: str | None) -> list[PlanTerms]:
        """All terms in the order in which prices are taken for theirs: the preferred ones, today's, then the others."""
        today = [each.id for each in terms_of_plans(self.catalog)]
        order = dict.fromkeys([*(each for each in preferred if each is not None), *today, *self.by_id])
        return [self.by_id[each] for each in order if each in self.by_id]


async def read_sold(session: Session, catalog: Catalog, workspace_id: UUID) -> Sold:
    """What is and was sold to a workspace, as the catalog's last sync left it; today's texts win."""
    kept = await terms_open_to(session, workspace_id)
    by_id = {each.id: each for each in (*kept, *terms_of_plans(catalog))}
    keys = {price.lookup_key for terms in by_id.values() for price in terms_prices(catalog, terms)}
    return Sold(catalog, by_id, await provider_event_store.provider_ids(session, sorted(keys)))
