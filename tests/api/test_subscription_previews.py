"""What a change of a subscription would come to."""

from __future__ import annotations

from app.billing.subscriptions.planner import WantedChange
from app.catalog import BillingInterval
from tests.support.running_backend import RunningBackend
from tests.support.subscribers import Subscriber


async def test_try(backend: RunningBackend) -> None:
    me = Subscriber(backend, await backend.sign_up())
    await me.subscribe(WantedChange("team", BillingInterval.MONTH, 3))
    p = await me.preview(seats=2, interval="YEAR")
    print(p)
    q = """mutation ($input: ChangePlanInput!) { changePlan(input: $input) { subscription { plan { code } interval seats { total } pendingChange { kind seats effectiveAt } } userErrors { code message path } } }"""
    print(await backend.api.query(q, {"input": {"workspaceId": me.person.workspace, "planCode": "team", "interval": "YEAR", "seats": 2, "quote": p["quote"], "idempotencyKey": "a"}}, token=me.person.token))
    for c in await backend.charges(me.person): print(c["amount"])
