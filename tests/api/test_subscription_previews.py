"""What a change of a subscription would come to."""

from __future__ import annotations

from app.billing.subscriptions.planner import WantedChange
from app.catalog import BillingInterval
from tests.support.running_backend import RunningBackend
from tests.support.subscribers import Subscriber


async def test_try(backend: RunningBackend) -> None:
    me = Subscriber(backend, await backend.sign_up())
    print(await me.preview(planCode="team", interval="MONTH", seats=3))
    await me.subscribe(WantedChange("team", BillingInterval.MONTH, 3))
    print(await me.preview(seats=5))
    print(await me.preview(interval="YEAR"))
    print(await me.preview(seats=2, interval="YEAR"))
    print(await me.preview(planCode="personal"))
    print(await me.preview(planCode="free"))
    print(await me.preview(planCode="team"))
    print(await me.preview(planCode="enterprise"))
