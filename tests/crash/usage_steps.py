"""A host product that reports what was used: what it sends, and what must be true in the end."""

from __future__ import annotations

from typing import Any, Final

from app.accounts.access.api_keys import create_service_key
from app.accounts.access.permissions import ApiScope
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant
from app.ledger.post_movements import post_one
from tests.crash.customer import Customer
from tests.crash.steps import two_minutes_pass

# the Free plan includes 100 enrichments, and one past them costs 500 tokens
_INCLUDED: Final = 100
_PRICE: Final = 500
_CREDITS: Final = 2 * _PRICE
_REPORTED: Final = (("first", _INCLUDED - 1), ("past the plan", 3), ("past the credits", 2))
_RECORD: Final = """mutation ($input: RecordUsageInput!) {
  recordUsage(input: $input) { accepted duplicates rejected { code } userErrors { code } } }"""
_USAGE: Final = """query ($id: ID!) { workspace(id: $id) { creditBalance { available } usage { bars {
  resource { code } used overage unpaidOverage creditsSpent } } } }"""


async def somebody_with_a_few_credits(customer: Customer) -> None:
    """Somebody whose credits pay for a part of what they will use."""
    database = customer.environment.database

    async def give(session: Session) -> str:
        workspace_id = customer.person.workspace_id
        grant = Grant(workspace_id=workspace_id, amount=_CREDITS, source=Source.ADJUSTMENT, description="A gift")
        await post_one(session, grant)
        return (await create_service_key(session, "the host", [ApiScope.USAGE_WRITE]))[1]

    customer.host_key = await transact(database, give)


async def reports(customer: Customer) -> None:
    """The host reports what was used, under the same ids however often."""
    events = [
        {
            "workspaceId": customer.person.workspace,
            "resource": "enrichments",
            "quantity": str(quantity),
            "eventId": event_id,
            "subject": "ada",
        }
        for event_id, quantity in _REPORTED
    ]
    variables = {"input": {"events": events}}
    answer = await customer.environment.api.query(_RECORD, variables, token=customer.host_key)
    recorded: dict[str, Any] = answer["recordUsage"]
    assert recorded["accepted"] + recorded["duplicates"] == len(_REPORTED), recorded


async def is_counted_and_paid_once(customer: Customer, point: str) -> None:
    """Each event counts once, the credits are spent once, and the rest is unpaid."""
    await two_minutes_pass(customer)
    seen = (await customer.ask(_USAGE, {"id": customer.person.workspace}))["workspace"]
    [bar] = [each for each in seen["usage"]["bars"] if each["resource"]["code"] == "enrichments"]
    used = sum(quantity for _, quantity in _REPORTED)
    assert (float(bar["used"]), float(bar["overage"])) == (used, used - _INCLUDED)
    assert (float(bar["creditsSpent"]), float(bar["unpaidOverage"])) == (_CREDITS, used - _INCLUDED - 2)
    assert seen["creditBalance"]["available"] == "0"
    assert await customer.rows("value", "usage_dues") == []
    spent = await customer.rows("amount", "ledger_transactions", "AND kind = 'USAGE'")
    assert sum(-row["amount"] for row in spent) == _CREDITS
