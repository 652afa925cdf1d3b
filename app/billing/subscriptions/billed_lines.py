"""What the lines of invoices bill: found by their prices, which have the lookup keys that the catalog gave them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from app.billing.payments import invoice_mirror
from app.billing.payments.invoice_lines import LineOrigin
from app.billing.subscriptions.goals import TERMS_ID
from app.billing.subscriptions.kept_terms import kept_terms, terms_of_plans, terms_on_sale, terms_open_to
from app.billing.subscriptions.plan_choice import add_on_with_price, terms_with_price
from app.catalog import Catalog, PlanTerms
from app.db.engine import Session
from app.db.tables.payments import InvoiceRow
from app.payments.gateway_values import InvoiceLine, ProviderInvoice
from app.store import provider_events as provider_event_store


async def mirror_invoice(
    session: Session, catalog: Catalog, workspace_id: UUID, invoice: ProviderInvoice
) -> InvoiceRow:
    """Mirror an invoice as `invoice_mirror.mirror` does, with the plans and add-ons that its lines bill."""
    bought_on = [invoice.subscription_metadata[TERMS_ID]] if TERMS_ID in invoice.subscription_metadata else []
    origins = await line_origins(session, catalog, workspace_id, invoice.lines, bought_on)
    return await invoice_mirror.mirror(session, workspace_id, invoice, origins)


async def line_origins(
    session: Session,
    catalog: Catalog,
    workspace_id: UUID,
    lines: Sequence[InvoiceLine],
    bought_on: Sequence[str] = (),
) -> dict[str, LineOrigin]:
    """What the prices of these lines bill, by the provider's ids of them; prices of nothing that was ever a plan are left out.

    One price may be of several terms. Those that a line names come first, then those with the ids `bought_on`, then today's
    catalog, then what was sold before. Terms that were made for another workspace are never meant.
    """
    keys = await provider_event_store.keys_of(session, [line.price_id for line in lines if line.price_id is not None])
    if not keys:
        return {}
    named = list(dict.fromkeys([*(line.metadata[TERMS_ID] for line in lines if TERMS_ID in line.metadata), *bought_on]))
    candidates = [*await _terms_named(session, catalog, workspace_id, named), *terms_of_plans(catalog)]
    found = dict(_origins(catalog, candidates, keys))
    missing = {price_id: key for price_id, key in keys.items() if price_id not in found}
    if missing:
        found |= _origins(catalog, await terms_open_to(session, workspace_id), missing)
    return found


async def _terms_named(
    session: Session, catalog: Catalog, workspace_id: UUID, terms_ids: Sequence[str]
) -> Sequence[PlanTerms]:
    """The terms with these ids, in their order; an id that names none is left out: anybody may have written it at the provider."""
    on_sale = {each: terms for each in terms_ids if (terms := terms_on_sale(catalog, each)) is not None}
    before = [each for each in terms_ids if each not in on_sale]
    by_id = on_sale | {terms.id: terms for terms in await kept_terms(session, before, workspace_id)}
    return [by_id[each] for each in terms_ids if each in by_id]


def _origins(
    catalog: Catalog, candidates: Sequence[PlanTerms], keys: dict[str, str]
) -> Iterator[tuple[str, LineOrigin]]:
    for price_id, key in keys.items():
        terms = terms_with_price(catalog, candidates, key)
        if terms is not None:
            yield price_id, LineOrigin(terms.id, add_on_with_price(catalog, terms, key))
