"""A page takes few round trips to PostgreSQL, however its fields are asked for: counted at the driver, the check of rights too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text, update

from app.accounts.access.api_keys import create_service_key
from app.accounts.access.permissions import ApiScope
from app.billing.subscriptions.kept_terms import keep_terms
from app.billing.subscriptions.pending_changes import PendingChange, PendingChangeKind
from app.catalog import load_catalog, plan_terms
from app.db.engine import Session
from app.db.reads import read_many
from app.db.tables.payments import InvoiceRow
from app.db.unit_of_work import transact
from app.ids import GlobalId
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant, Posted, Spend
from app.ledger.post_movements import post
from app.metering.subjects import subject_ids
from app.store.usage_reads import USE_BY_SUBJECT
from bench.page_rows import Page, fill
from bench.round_trips import RoundTrips, counted_round_trips
from tests.support.api import Api, running_api
from tests.support.databases import cloned_url
from tests.support.next_bills import next_bill, tell_next_bill
from tests.support.running_backend import CATALOGS
from tests.support.subscriptions import choice_of, subscribe

MOST: Final = 3
_LINE: Final = {
    "description": "Team",
    "quantity": 1,
    "unit_amount_minor": 100,
    "amount_minor": 100,
    "price_id": "price_1",
    "period_start": None,
    "period_end": None,
    "is_proration": False,
}
_ROWS: Final = 30

_BALANCE = """
  creditBalance {
    available held version grants { id remaining } nextExpiry { amount }
    transactions(first: 10) { nodes { sequence kind amount } pageInfo { hasNextPage } }
  }"""
_USAGE: Final = """
  usage { version period { end } bars {
    used limit level creditsSpent series { day used } subjects { subject used } few: subjects(first: 3) { used }
  } }"""
_FIELDS: Final = (
    "id name",
    "plan { code }",
    "subscription { seats { total used } plan { code } status renewsAt recurringPrice { amount } recurringTotal { amount }"
    " currentPeriod { end } pendingChange { kind plan { code } seats recurringPrice { amount } } version }",
    "spend { spent { amount } limit { amount } }",
    _BALANCE,
    _USAGE,
    "paymentMethods { id last4 }",
    "invoices(first: 10) { nodes { id lines { amount { amount } } } pageInfo { endCursor } }",
)
_PAGE: Final = "\n".join(_FIELDS)
_REVERSED: Final = "\n".join(reversed(_FIELDS))
_ALIASED: Final = f"""
  cards: paymentMethods {{ id }}
  ...Money
  ... on Workspace {{ bills: invoices(first: 10, status: PAID) {{ nodes {{ id }} }} }}
  ... on Node {{ ... on Workspace {{ older: invoices(first: 3) {{ nodes {{ id }} }} }} }}
  used: usage {{ version }}
  again: usage {{ bars {{ ...Bar others: subjects(first: $first) {{ used }} }} }}
  one: creditBalance {{ available usage: transactions(kind: USAGE) {{ nodes {{ id }} }} ...Moved }}
  two: creditBalance {{ held transactions(first: $first) @include(if: $yes) {{ nodes {{ id }} }} }}
  {_REVERSED}
"""
_FRAGMENTS: Final = """
  fragment Money on Workspace { spend { spent { amount } } creditBalance { held } }
  fragment Bar on UsageBar { used days: series { used } }
  fragment Moved on CreditBalance { bonus: transactions(kind: BONUS, first: 2) { nodes { id } } }
"""

# what is asked for, and how many round trips it may take
_DOCUMENTS: Final = {
    "by its id": (f"query ($a: ID!) {{ workspace(id: $a) {{ {_PAGE} }} }}", MOST),
    "in another order": (f"query ($a: ID!) {{ workspace(id: $a) {{ {_REVERSED} }} }}", MOST),
    "by its handle": (f"query ($handle: String!) {{ workspace(handle: $handle) {{ {_PAGE} }} }}", MOST),
    "of who asks": (f"{{ viewer {{ handle workspaces {{ {_PAGE} }} }} }}", MOST),
    "of who asks, in person": (f"{{ viewer {{ handle personalWorkspace {{ {_PAGE} }} }} }}", 2),
    "of two workspaces": (
        f"query ($a: ID!, $b: ID!) {{ one: workspace(id: $a) {{ {_PAGE} }} two: workspace(id: $b) {{ {_REVERSED} }} }}",
        MOST,
    ),
    "from every side": (
        f"query ($a: ID!, $handle: String!) {{ viewer {{ personalWorkspace {{ {_PAGE} }} workspaces {{ {_PAGE} }} }}"
        f" workspace(id: $a) {{ {_REVERSED} }} other: workspace(handle: $handle) {{ {_PAGE} }} }}",
        MOST,
    ),
    "with aliases and fragments": (
        f"query ($a: ID!, $first: Int, $yes: Boolean!) {{ workspace(id: $a) {{ {_ALIASED} }} }} {_FRAGMENTS}",
        MOST,
    ),
    # one more for each level below, and none for a row
    "with what hangs on its history": (
        "query ($a: ID!) { workspace(id: $a) { creditBalance { transactions(first: 100) {"
        " nodes { purchase { status invoice { number } } invoice { number } hold { amount } } } }"
        " purchases(first: 100) { nodes { invoice { number } } } } }",
        MOST + 2,
    ),
    "with everybody in it": (
        "query ($a: ID!) { workspace(id: $a) { members { totalCount nodes { user { handle } holdsSeat } } invitations { id }"
        " auditLog { nodes { actor detail } } apiKeys { createdBy } phone { masked } } }",
        MOST + 1,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """The API, and what of its round trips was counted."""

    api: Api
    trips: RoundTrips
    page: Page

    async def count(self, document: str, token: str, **variables: object) -> tuple[int, dict[str, Any]]:
        """How many round trips an operation takes once the like of it was answered before, and the answer."""
        data: dict[str, Any] = {}
        async with self.api.program(token) as program:
            for _ in range(2):
                self.trips.clear()
                data = await program.run(document, **variables)
        return self.trips.count, data


@pytest_asyncio.fixture(scope="module")
async def counted(server_url: str) -> AsyncGenerator[Counted]:
    async with cloned_url(server_url) as url:
        with counted_round_trips() as trips:
            async with running_api(url, catalog=CATALOGS / "analytics.toml") as api:
                yield Counted(api, trips, await fill(api.database, _ROWS))


async def _service_key(counted: Counted, scope: ApiScope) -> str:
    return (await transact(counted.api.database, lambda session: create_service_key(session, "a test", [scope])))[1]


@pytest.mark.parametrize("asked", _DOCUMENTS)
async def test_a_page_takes_few_round_trips_however_it_is_asked_for(counted: Counted, asked: str) -> None:
    document, most = _DOCUMENTS[asked]
    variables = {
        "a": str(GlobalId("Workspace", counted.page.workspace_id)),
        "b": str(GlobalId("Workspace", counted.page.personal_id)),
        "handle": counted.page.handle.upper(),
        "first": 5,
        "yes": True,
    }
    used = {name: value for name, value in variables.items() if f"${name}" in document}

    count, data = await counted.count(document, counted.page.token, **used)

    assert count <= most, counted.trips.sent
    assert all(data.values())


async def test_so_it_does_for_a_server_with_a_key(counted: Counted) -> None:
    token = await _service_key(counted, ApiScope.BILLING_READ)
    document = f"query ($a: ID!) {{ workspace(id: $a) {{ {_PAGE} }} }}"

    count, data = await counted.count(document, token, **counted.page.variables_named("a"))

    assert count <= MOST, counted.trips.sent
    assert data["workspace"]["creditBalance"]["available"] == str(_ROWS)


async def test_of_a_payload_only_what_is_selected_is_read(counted: Counted) -> None:
    token = await _service_key(counted, ApiScope.CREDITS_WRITE)
    document = """mutation ($input: HoldCreditsInput!, $more: Boolean!) {
        holdCredits(input: $input) {
            hold { id }
            creditBalance @include(if: $more) { available transactions(first: 1) { nodes { heldAfter } } }
            userErrors { message }
        }
    }"""
    counts: list[int] = []
    for more in (False, True):
        given = {
            "workspaceId": str(GlobalId("Workspace", counted.page.workspace_id)),
            "amount": "1",
            "description": "A test",
            "idempotencyKey": uuid4().hex,
        }
        count, data = await counted.count(document, token, input=given, more=more)
        assert data["holdCredits"]["userErrors"] == []
        counts.append(count)
    assert counts[1] == counts[0] + 1


async def test_a_kept_next_bill_and_what_lines_bill_cost_no_more_round_trips(counted: Counted) -> None:
    catalog = load_catalog(CATALOGS / "analytics.toml")
    [team] = [plan_terms(catalog, plan) for plan in catalog.plans if plan.code == "team"]
    workspace_id = counted.page.workspace_id

    await subscribe(counted.api.database, workspace_id, choice_of(catalog, "team", 50))

    async def told(session: Session) -> None:
        bill = next_bill(session.now)
        await tell_next_bill(session, workspace_id, version=1, recurring_total_minor=0, invoice=bill)
        lines = InvoiceRow.lines.op("||")([{"terms_id": team.id, "add_on": None, **_LINE}])
        await session.execute(update(InvoiceRow).where(InvoiceRow.workspace_id == workspace_id).values(lines=lines))

    await transact(counted.api.database, told)
    document = f"""query ($a: ID!) {{ workspace(id: $a) {{
      {_PAGE}
      upcomingInvoice {{ at askedAt lines {{ plan {{ code }} }} amountDue {{ amount }} }}
      bills: invoices(first: 30) {{ nodes {{ lines {{ plan {{ code }} addOn {{ code }} }} }} }}
    }} }}"""

    count, data = await counted.count(document, counted.page.token, **counted.page.variables_named("a"))

    assert count <= MOST, counted.trips.sent
    assert data["workspace"]["upcomingInvoice"]["amountDue"] == {"amount": "0.00"}
    assert data["workspace"]["bills"]["nodes"][0]["lines"][-1] == {"plan": {"code": "team"}, "addOn": None}


async def test_so_it_does_for_who_subscribes_on_terms_that_are_sold_no_more(counted: Counted) -> None:
    catalog = load_catalog(CATALOGS / "analytics.toml")
    plans = tuple(replace(plan, requests_per_second=99) if plan.prices else plan for plan in catalog.plans)
    former = replace(catalog, plans=plans)
    page = await fill(counted.api.database, _ROWS)
    await transact(counted.api.database, lambda session: keep_terms(session, former))
    lower = PendingChange(kind=PendingChangeKind.DOWNGRADE, choice=choice_of(former, "personal", 1))
    await subscribe(counted.api.database, page.workspace_id, choice_of(former, "team", 5), pending=lower)
    document = f"query ($a: ID!) {{ workspace(id: $a) {{ {_PAGE} }} }}"

    count, data = await counted.count(document, page.token, **page.variables_named("a"))

    assert count <= MOST, counted.trips.sent
    subscription = data["workspace"]["subscription"]
    assert (subscription["plan"], subscription["pendingChange"]["plan"]) == ({"code": "team"}, {"code": "personal"})


async def test_a_page_costs_the_same_however_much_lies_behind_it(counted: Counted) -> None:
    document = f"query ($a: ID!) {{ workspace(id: $a) {{ {_PAGE} }} }}"
    counts: list[int] = []
    for rows in (5, 500):
        page = await fill(counted.api.database, rows)
        counts.append((await counted.count(document, page.token, **page.variables_named("a")))[0])
    assert counts[0] == counts[1] <= MOST


async def test_a_payload_or_a_node_of_usage_takes_no_more(counted: Counted) -> None:
    ids = {
        "usage": str(GlobalId("Usage", counted.page.workspace_id)),
        "bar": str(GlobalId("UsageBar", "storage", counted.page.workspace_id)),
    }
    document = """query ($usage: ID!, $bar: ID!) {
      one: node(id: $usage) { ... on Usage { bars { used series { used } } } }
      two: node(id: $bar) { ... on UsageBar { used series { used } } }
    }"""

    count, data = await counted.count(document, counted.page.token, **ids)

    assert count <= MOST, counted.trips.sent
    assert len(data["one"]["bars"]) == 4


async def test_asking_before_takes_no_more_round_trips_than_a_page(counted: Counted) -> None:
    document = """query ($a: ID!) {
      usageCheck(workspaceId: $a, resource: "enrichments", quantity: "100000000") { decision creditsNeeded }
    }"""

    count, data = await counted.count(document, counted.page.token, **counted.page.variables_named("a"))

    assert count <= MOST, counted.trips.sent
    assert data["usageCheck"]["decision"] == "REFUSED"


async def test_four_bars_with_their_days_cost_no_more_round_trips_than_the_page_without(counted: Counted) -> None:
    rest = "\n".join(fields for fields in _FIELDS if fields is not _USAGE)
    bars = (
        "usage { bars { resource { isGauge } used limit ratio level creditsSpent unpaidOverage series { day used } } }"
    )

    without, _ = await counted.count(
        f"query ($a: ID!) {{ workspace(id: $a) {{ {rest} }} }}", counted.page.token, **counted.page.variables_named("a")
    )
    count, data = await counted.count(
        f"query ($a: ID!) {{ workspace(id: $a) {{ {rest} {bars} }} }}",
        counted.page.token,
        **counted.page.variables_named("a"),
    )

    assert count == without <= MOST, counted.trips.sent
    counters = [bar for bar in data["workspace"]["usage"]["bars"] if not bar["resource"]["isGauge"]]
    assert len(counters) == 3
    for bar in counters:
        used = [Decimal(day["used"]) for day in bar["series"]]
        assert (sum(used), len(used)) == (Decimal(bar["used"]), 26)


async def test_those_who_used_most_are_one_bounded_look_up_for_all_bars(counted: Counted) -> None:
    page = await fill(counted.api.database, 5)
    names = [(page.workspace_id, f"agent {number}") for number in range(60)]

    async def use(session: Session) -> None:
        ids = await subject_ids(session, names)
        for place, subject_id in enumerate((ids[name] for name in names), 1):
            query = text(
                "INSERT INTO subject_usage (workspace_id, period_start, resource, subject_id, used, charged)"
                " SELECT workspace_id, period_start, resource, :subject, :used, 0 FROM usage_counters WHERE workspace_id = :id"
            )
            await session.execute(query, {"id": page.workspace_id, "subject": subject_id, "used": place})

    await transact(counted.api.database, use)
    document = """query ($a: ID!) { workspace(id: $a) { usage { bars {
      resource { code } subjects(first: 5) { subject } few: subjects(first: 2) { subject }
    } } } }"""

    count, data = await counted.count(document, page.token, **page.variables_named("a"))

    assert (count, sum("subject_usage" in sent for sent in counted.trips.sent)) == (MOST, 1)
    sessions = data["workspace"]["usage"]["bars"][0]
    # what has no subject is most of it
    assert [use["subject"] for use in sessions["subjects"]] == [
        None,
        *(f"agent {number}" for number in (59, 58, 57, 56)),
    ]
    assert sessions["few"] == sessions["subjects"][:2]
    now = counted.api.database.clock.now()
    read = await read_many(counted.api.database, USE_BY_SUBJECT, [(page.workspace_id, now, 5)])
    assert len(read) == 3 * 5


async def test_usage_of_those_who_used_is_read_only_where_it_is_asked_for(counted: Counted) -> None:
    for selected, reads in (
        ("used", []),
        ("series { used }", ["usage_days"]),
        ("subjects { used }", ["subject_usage"]),
    ):
        document = f"query ($a: ID!) {{ workspace(id: $a) {{ usage {{ bars {{ {selected} }} }} }} }}"
        await counted.count(document, counted.page.token, **counted.page.variables_named("a"))
        sent = " ".join(counted.trips.sent)
        assert [table for table in ("usage_days", "subject_usage") if table in sent] == reads


async def test_a_history_costs_one_more_round_trip_where_subjects_are_asked_for_and_no_other(counted: Counted) -> None:
    names = [(counted.page.personal_id, f"agent {number}") for number in range(50)]

    async def spend(session: Session) -> None:
        ids = await subject_ids(session, names)
        given = Grant(workspace_id=names[0][0], amount=50, source=Source.PROMOTION, description="A gift")
        spends = [Spend(workspace_id=names[0][0], amount=1, description="Use", subject_id=ids[each]) for each in names]
        assert all(isinstance(answer, Posted) for answer in await post(session, [given, *spends]))

    await transact(counted.api.database, spend)
    page = "query ($a: ID!) {{ workspace(id: $a) {{ creditBalance {{ transactions(first: 100) {{ nodes {{ {} }} }} }} }} }}"
    workspace = str(GlobalId("Workspace", counted.page.personal_id))

    without, _ = await counted.count(page.format("kind resource { code }"), counted.page.token, a=workspace)
    asked, data = await counted.count(page.format("kind subject"), counted.page.token, a=workspace)

    found = {node["subject"] for node in data["workspace"]["creditBalance"]["transactions"]["nodes"]}
    assert found >= {name for _, name in names}
    assert (asked - without, without <= MOST) == (1, True)


async def test_a_spend_for_a_known_subject_costs_as_many_round_trips_as_one_without(counted: Counted) -> None:
    token = await _service_key(counted, ApiScope.CREDITS_WRITE)
    document = "mutation ($input: DeductCreditsInput!) { deductCredits(input: $input) { userErrors { code } } }"
    counts: list[int] = []
    for more in ({}, {"subject": "ada"}):
        given = {
            "workspaceId": str(GlobalId("Workspace", counted.page.workspace_id)),
            "amount": "1",
            "description": "A test",
            **more,
        }
        async with counted.api.program(token) as program:
            for _ in range(3):
                counted.trips.clear()
                data = await program.run(document, input={**given, "idempotencyKey": uuid4().hex})
                assert data["deductCredits"]["userErrors"] == []
        counts.append(counted.trips.count)
    assert counts[1] == counts[0]
