"""What a line bills is found by the lookup key of its price, on the terms that were bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from app.billing.payments.invoice_lines import LineOrigin, lines_as_json, origins_in
from app.billing.subscriptions.billed_lines import line_origins
from app.billing.subscriptions.kept_terms import keep_terms, keep_terms_of
from app.catalog import Catalog, PlanTerms, own_terms, plan_terms, stripe_prices, terms_prices
from app.db.engine import Database, Session
from app.money import Money
from app.payments.gateway_values import InvoiceLine
from app.store import provider_events as provider_event_store
from tests.billing.subscriptions.choices import ANALYTICS, MESSAGING, plan_named, with_plan

_WORKSPACE = uuid4()
_TEAM = plan_named(ANALYTICS, "team")
# the same prices for less
_SMALLER = with_plan(ANALYTICS, replace(_TEAM, allowances=_TEAM.allowances[1:]))
_DEARER = with_plan(
    ANALYTICS,
    replace(_TEAM, prices=tuple(replace(each, per_seat=each.per_seat + Money(100, "EUR")) for each in _TEAM.prices)),
)


def _terms(catalog: Catalog, code: str) -> PlanTerms:
    return plan_terms(catalog, plan_named(catalog, code))


def _line(lookup_key: str, metadata: Mapping[str, str] | None = None) -> InvoiceLine:
    return InvoiceLine("A line", 1, 100, 100, f"price_{lookup_key}", None, None, False, metadata or {})


def _plan_key(terms: PlanTerms) -> str:
    return next(iter(terms_prices(ANALYTICS, terms))).lookup_key


async def _known(session: Session, *catalogs: Catalog) -> None:
    """Let the catalogs have been synced, the last one now; taken back with the session."""
    for catalog in catalogs:
        keys = [price.lookup_key for price in stripe_prices(catalog)]
        await provider_event_store.save_provider_ids(session, {key: f"price_{key}" for key in keys})
        await keep_terms(session, catalog)


async def test_a_plans_price_leads_to_todays_terms(database: Database) -> None:
    team = _terms(ANALYTICS, "team")
    line = _line(_plan_key(team))
    async with database.read() as session:
        await _known(session, ANALYTICS)
        assert await line_origins(session, ANALYTICS, _WORKSPACE, [line]) == {line.price_id: LineOrigin(team.id, None)}


async def test_the_terms_that_the_subscription_names_come_before_todays_that_have_the_same_price(
    database: Database,
) -> None:
    before, today = _terms(_SMALLER, "team"), _terms(ANALYTICS, "team")
    assert _plan_key(before) == _plan_key(today)
    assert before.id != today.id
    named = _line(_plan_key(today), {"terms_id": before.id})
    plain = _line(_plan_key(today))
    async with database.read() as session:
        await _known(session, _SMALLER, ANALYTICS)
        assert await line_origins(session, ANALYTICS, _WORKSPACE, [named]) == {
            named.price_id: LineOrigin(before.id, None)
        }
        assert await line_origins(session, ANALYTICS, _WORKSPACE, [plain], [before.id]) == {
            plain.price_id: LineOrigin(before.id, None)
        }
        assert await line_origins(session, ANALYTICS, _WORKSPACE, [plain], ["nonsense"]) == {
            plain.price_id: LineOrigin(today.id, None)
        }


async def test_a_price_that_is_not_sold_any_more_leads_to_the_terms_it_was_sold_on(database: Database) -> None:
    before = _terms(_DEARER, "team")
    line = _line(_plan_key(before))
    async with database.read() as session:
        await _known(session, _DEARER, ANALYTICS)
        assert await line_origins(session, ANALYTICS, _WORKSPACE, [line]) == {
            line.price_id: LineOrigin(before.id, None)
        }


async def test_an_add_ons_price_leads_to_the_add_on_and_the_plan_that_has_it(database: Database) -> None:
    business = _terms(MESSAGING, "business")
    [add_on] = business.plan.add_ons[:1]
    key = next(
        price.lookup_key
        for price in terms_prices(MESSAGING, business)
        if price.product.endswith(f"addon-{add_on.code}")
    )
    line = _line(key, {"terms_id": business.id})
    async with database.read() as session:
        await _known(session, MESSAGING)
        assert await line_origins(session, MESSAGING, _WORKSPACE, [line]) == {
            line.price_id: LineOrigin(business.id, add_on.code)
        }


async def test_what_is_no_plan_is_left_out(database: Database) -> None:
    pack = next(price for price in stripe_prices(ANALYTICS) if "pack" in price.lookup_key)
    by_hand = replace(_line("made by hand"), price_id="price_made_by_hand")
    without = replace(_line("none"), price_id=None)
    async with database.read() as session:
        await _known(session, ANALYTICS)
        assert await line_origins(session, ANALYTICS, _WORKSPACE, [_line(pack.lookup_key), by_hand, without]) == {}
        assert await line_origins(session, ANALYTICS, _WORKSPACE, []) == {}


def test_what_a_line_bills_is_kept_with_it_and_found_there_again() -> None:
    origins = {"price_a": LineOrigin("team-0", None), "price_b": LineOrigin("team-0", "fax")}
    lines = [replace(_line("x"), price_id=price) for price in ("price_a", "price_b", "price_c", None)]
    kept = lines_as_json(lines, origins)
    assert origins_in(kept) == origins
    assert origins_in([{"price_id": "price_of_a_line_from_before"}]) == {}
    assert all("metadata" not in line for line in kept)


async def test_terms_of_another_workspace_are_never_meant_though_the_line_names_them(database: Database) -> None:
    own = own_terms(ANALYTICS, replace(_TEAM, seats=replace(_TEAM.seats, minimum=7)), uuid4())
    line = _line(_plan_key(own), {"terms_id": own.id})
    async with database.read() as session:
        await _known(session, ANALYTICS)
        await keep_terms_of(session, own)
        assert own.workspace_id is not None
        mine = await line_origins(session, ANALYTICS, own.workspace_id, [line], [own.id])
        others = await line_origins(session, ANALYTICS, _WORKSPACE, [line], [own.id])

    assert mine == {line.price_id: LineOrigin(own.id, None)}
    assert others == {line.price_id: LineOrigin(_terms(ANALYTICS, "team").id, None)}
