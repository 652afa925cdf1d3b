"""Stripe's billing portal: its configurations, and pages of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import stripe

from app.payments.billing_detail_values import Portal
from app.payments.gateway_values import SyncedObjects
from app.payments.stripe_calls import PAGE, StripeCalls, keyed
from app.payments.stripe_values import optional

_KEY: Final = "counterfoil_key"
# Name and e-mail address are left out: the customer's follow the workspace.
_UPDATES: Final = ("address", "tax_id")


class StripePortal(StripeCalls):
    """The portal. Its configurations are listed first, and only what differs is written."""

    async def ensure_portals(self, portals: Sequence[Portal]) -> SyncedObjects:
        page = await self.step(
            "list_portals", lambda: self.stripe.billing_portal.configurations.list_async({"limit": PAGE})
        )
        listed = [existing async for existing in page.auto_paging_iter()]
        ids: dict[str, str] = {}
        written: list[str] = []
        for portal in portals:
            same = [existing for existing in listed if _key_of(existing) == portal.key]
            existing = next((each for each in same if each.active), same[0] if same else None)
            if existing is None:
                ids[portal.key] = await self._create_portal(portal, {each.id for each in listed})
                written.append(f"portal {portal.key} made")
                continue
            ids[portal.key] = existing.id
            if not _is_same(existing, portal):
                await self._update_portal(existing.id, portal)
                written.append(f"portal {portal.key} brought back")
        return SyncedObjects(ids, tuple(written))

    async def open_portal(self, customer_id: str, *, portal_id: str, return_url: str) -> str:
        # Without a key: an earlier answer would be a link that may have expired.
        params: Any = {"customer": customer_id, "configuration": portal_id, "return_url": return_url}
        opened = await self.step("open_portal", lambda: self.stripe.billing_portal.sessions.create_async(params))
        return opened.url

    async def _create_portal(self, portal: Portal, listed: set[str]) -> str:
        params: Any = _params(portal)
        # several servers that start together make one; what it says is in the key, since a key stands for one request
        said = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]
        made = await self.step(
            "create_portal",
            lambda: self.stripe.billing_portal.configurations.create_async(
                params, keyed(f"portal:{portal.key}:{said}")
            ),
        )
        if made.id in listed:
            # the key answered with one that was made in the last day, which lost our key since
            await self._update_portal(made.id, portal)
        return made.id

    async def _update_portal(self, portal_id: str, portal: Portal) -> None:
        params: Any = {**_params(portal), "active": True}
        await self.step(
            "update_portal", lambda: self.stripe.billing_portal.configurations.update_async(portal_id, params)
        )


def _params(portal: Portal) -> dict[str, Any]:
    return {
        "name": portal.name,
        "metadata": {_KEY: portal.key},
        "features": {
            "customer_update": {"enabled": True, "allowed_updates": list(_UPDATES)},
            "invoice_history": {"enabled": True},
            "payment_method_update": {"enabled": True},
            "subscription_cancel": {
                "enabled": portal.offers_cancel,
                "mode": "at_period_end",
                "proration_behavior": "none",
            },
            "subscription_update": {"enabled": False},
        },
    }


def _key_of(existing: stripe.billing_portal.Configuration) -> str | None:
    return existing.metadata.to_dict().get(_KEY) if existing.metadata is not None else None


def _is_same(existing: stripe.billing_portal.Configuration, portal: Portal) -> bool:
    """Whether a configuration is active and offers exactly what it should; what Stripe adds by itself is not looked at."""
    features = existing.features
    cancel = features.subscription_cancel
    return (
        existing.active
        and optional(existing, "name") == portal.name
        and features.customer_update.enabled
        and set(features.customer_update.allowed_updates) == set(_UPDATES)
        and features.invoice_history.enabled
        and features.payment_method_update.enabled
        and not features.subscription_update.enabled
        and cancel.enabled == portal.offers_cancel
        and (not cancel.enabled or (cancel.mode, cancel.proration_behavior) == ("at_period_end", "none"))
    )
