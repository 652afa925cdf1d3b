"""The portal through the gateway: two configurations that are found again, and pages by them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
import stripe

from app.payments.billing_detail_values import Portal
from app.payments.gateway import Gateway
from app.payments.gateway_errors import GatewayMissing, MissingObject
from tests.payments.changes import subscribed


def _portals() -> list[Portal]:
    """Two portals that no test before had."""
    code = uuid4().hex
    return [
        Portal(f"{code}-cancel", "All", offers_cancel=True),
        Portal(f"{code}-no-cancel", "Less", offers_cancel=False),
    ]


async def test_portals_are_made_once_and_found_again(gateway: Gateway, client: stripe.StripeClient) -> None:
    portals = _portals()
    made = await gateway.ensure_portals(portals)

    again = await gateway.ensure_portals(portals)

    assert again.ids == made.ids
    assert (len(made.written), again.written) == (2, ())
    whole, less = [
        await client.v1.billing_portal.configurations.retrieve_async(made.ids[portal.key]) for portal in portals
    ]
    assert (whole.features.subscription_cancel.enabled, less.features.subscription_cancel.enabled) == (True, False)
    assert whole.features.subscription_cancel.mode == "at_period_end"
    for each in (whole, less):
        assert each.features.customer_update.allowed_updates == ["address", "tax_id"]
        assert each.features.invoice_history.enabled
        assert each.features.payment_method_update.enabled
        assert not each.features.subscription_update.enabled


@pytest.mark.parametrize(
    "change",
    [
        {"active": False},
        {"name": "Other"},
        {"features": {"subscription_cancel": {"enabled": False}}},
        {"features": {"subscription_cancel": {"enabled": True, "mode": "immediately"}}},
        {"features": {"customer_update": {"enabled": True, "allowed_updates": ["email"]}}},
        {"features": {"invoice_history": {"enabled": False}}},
        {"features": {"payment_method_update": {"enabled": False}}},
    ],
)
async def test_what_someone_changed_in_the_dashboard_is_brought_back(
    gateway: Gateway, client: stripe.StripeClient, change: Any
) -> None:
    [portal, _] = _portals()
    made = await gateway.ensure_portals([portal])
    portal_id = made.ids[portal.key]
    before = await client.v1.billing_portal.configurations.retrieve_async(portal_id)
    await client.v1.billing_portal.configurations.update_async(portal_id, change)

    back = await gateway.ensure_portals([portal])

    assert back.ids == made.ids
    assert len(back.written) == 1
    after = await client.v1.billing_portal.configurations.retrieve_async(portal_id)
    assert (after.active, after.name, after.features.to_dict()) == (True, before.name, before.features.to_dict())


async def test_a_portal_that_lost_our_key_gets_it_back(gateway: Gateway, client: stripe.StripeClient) -> None:
    [portal, _] = _portals()
    made = await gateway.ensure_portals([portal])
    await client.v1.billing_portal.configurations.update_async(
        made.ids[portal.key], {"metadata": {"counterfoil_key": ""}}
    )

    assert (await gateway.ensure_portals([portal])).ids == made.ids
    assert (await gateway.ensure_portals([portal])).written == ()


async def test_the_portal_offers_to_cancel_where_it_should(
    gateway: Gateway, client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribed(gateway, client)
    portals = _portals()
    ids = (await gateway.ensure_portals(portals)).ids

    pages = [
        await gateway.open_portal(
            subscription.customer_id, portal_id=ids[portal.key], return_url="https://shop.example/billing"
        )
        for portal in portals
    ]

    whole, less = [(await web.get(page)).text for page in pages]
    assert "Cancel on" in whole
    assert "Cancel on" not in less
    canceled = await web.post(pages[0], data={"action": "cancel", "subscription": subscription.id})
    assert canceled.status_code == 303
    ending = await gateway.subscription(subscription.id)
    assert (ending.ends_at, ending.ends_at_period_end) == (subscription.items[0].period_end, False)


async def test_a_portal_that_is_gone_is_told_by_its_kind(gateway: Gateway, client: stripe.StripeClient) -> None:
    subscription = await subscribed(gateway, client)

    with pytest.raises(GatewayMissing) as missing:
        await gateway.open_portal(subscription.customer_id, portal_id="bpc_none", return_url="https://shop.example")

    assert missing.value.kind is MissingObject.PORTAL
