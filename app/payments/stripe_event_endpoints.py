"""The endpoints that Stripe reports events to (Stripe calls them webhook endpoints), and the list of events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import stripe

from app.payments.gateway_values import EventEndpoint, ProviderEvent
from app.payments.stripe_calls import PAGE, StripeCalls
from app.payments.stripe_values import event_value

# Stripe lists events of so many types at once.
_TYPES: Final = 20


class StripeEventEndpoints(StripeCalls):
    """What happened, reported or asked for."""

    async def event_endpoints(self) -> Sequence[EventEndpoint]:
        page = await self.step(
            "list_webhook_endpoints", lambda: self.stripe.webhook_endpoints.list_async({"limit": PAGE})
        )
        return [_endpoint(endpoint) async for endpoint in page.auto_paging_iter()]

    async def create_event_endpoint(self, url: str, event_types: Sequence[str]) -> EventEndpoint:
        params = {"url": url, "enabled_events": list(event_types), "api_version": stripe.api_version}
        made = await self.step(
            "create_webhook_endpoint", lambda: self.stripe.webhook_endpoints.create_async(cast(Any, params))
        )
        return _endpoint(made)

    async def update_event_endpoint(self, endpoint_id: str, url: str, event_types: Sequence[str]) -> None:
        params: Any = {"url": url, "enabled_events": list(event_types), "disabled": False}
        await self.step(
            "update_webhook_endpoint", lambda: self.stripe.webhook_endpoints.update_async(endpoint_id, params)
        )

    async def delete_event_endpoint(self, endpoint_id: str) -> None:
        await self.step("delete_webhook_endpoint", lambda: self.stripe.webhook_endpoints.delete_async(endpoint_id))

    async def events_after(self, event_id: str | None) -> Sequence[ProviderEvent]:
        params: dict[str, Any] = {"limit": PAGE}
        if event_id is not None:
            # Stripe lists newest first: what ends before an event is what came after it.
            params["ending_before"] = event_id
        page = await self.step("list_events", lambda: self.stripe.events.list_async(cast(Any, params)))
        return [event_value(event) for event in reversed(page.data)]

    async def events_since(self, since: datetime, *, event_types: Sequence[str]) -> Sequence[ProviderEvent]:
        found: list[ProviderEvent] = []
        for start in range(0, len(event_types), _TYPES):
            some = list(event_types[start : start + _TYPES])
            params: Any = {"types": some, "created": {"gte": int(since.timestamp())}, "limit": PAGE}
            page = await self.step("list_events", lambda params=params: self.stripe.events.list_async(params))
            found += [event_value(event) async for event in page.auto_paging_iter()][::-1]
        return sorted(found, key=lambda event: event.created_at)


def _endpoint(endpoint: stripe.WebhookEndpoint) -> EventEndpoint:
    return EventEndpoint(
        endpoint.id,
        endpoint.url,
        getattr(endpoint, "secret", None),
        frozenset(endpoint.enabled_events),
        endpoint.status == "enabled",
    )
