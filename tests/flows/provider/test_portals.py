"""The billing portal is set up at Stripe in two ways, and set right again when someone changes it there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app import main
from app.flows.provider.portals import portal_key, sync_portals
from app.main import set_up_provider
from app.payments.gateway_errors import GatewayRefused
from app.store import provider_events as provider_event_store
from tests.support.client import eventually
from tests.support.running_backend import RunningBackend


async def _portal(backend: RunningBackend, *, offers_cancel: bool) -> dict[str, Any]:
    """Stripe's configuration of the portal that was synced."""
    key = portal_key(backend.parts.runtime.catalog.code, offers_cancel=offers_cancel)
    async with backend.database.read() as session:
        ids = await provider_event_store.provider_ids(session, [key])
    return await backend.sandbox.fetched(f"/v1/billing_portal/configurations/{ids[key]}")


async def test_there_is_a_portal_with_and_one_without_canceling_each_once(backend: RunningBackend) -> None:
    portals = [await _portal(backend, offers_cancel=offers_cancel) for offers_cancel in (True, False)]

    await sync_portals(backend.parts.flow_context)

    assert [each["features"]["subscription_cancel"]["enabled"] for each in portals] == [True, False]
    listed = await backend.sandbox.listed("/v1/billing_portal/configurations")
    assert sorted(each["id"] for each in listed) == sorted(each["id"] for each in portals)


async def test_a_portal_that_someone_changed_is_brought_back_when_stripe_reports_it(backend: RunningBackend) -> None:
    portal = await _portal(backend, offers_cancel=False)
    changed = {"features[subscription_cancel][enabled]": "true", "active": "false"}
    await backend.sandbox.post(f"/v1/billing_portal/configurations/{portal['id']}", **changed)

    async def is_back() -> bool:
        now = await _portal(backend, offers_cancel=False)
        return now["active"] and not now["features"]["subscription_cancel"]["enabled"]

    assert await eventually(is_back)


async def test_a_portal_as_it_should_be_is_looked_at_and_not_written(own_backend: RunningBackend) -> None:
    async with httpx.AsyncClient() as http:
        (await http.delete(f"{own_backend.sandbox.url}/_sandbox/requests")).raise_for_status()

    await sync_portals(own_backend.parts.flow_context)

    assert await own_backend.sandbox.requests("/v1/.*") == []


async def test_what_is_sold_can_be_bought_though_the_portal_cannot_be_set_up(
    backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def refuse(_context: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            person = await backend.sign_up()
            await backend.add_card(person)
            assert (await backend.recharge(person))["purchase"]["status"] == "SUCCEEDED"
            raise GatewayRefused("the key may not do this")

    monkeypatch.setattr(main, "sync_portals", refuse)
    monkeypatch.setattr(main, "retry_delays", lambda: [0.0, 0.0])

    await set_up_provider(backend.parts)

    assert tries == 2
