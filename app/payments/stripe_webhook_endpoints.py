"""Webhook endpoints in Stripe, and the list of events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import stripe

from app.payments.gateway_values import ProviderEvent, WebhookEndpoint
from app.payments.stripe_calls import PAGE, StripeCalls
from app.payments.stripe_values import event_value


class StripeWebhookEndpoints(StripeCalls):
    """What happened, reported or asked for."""

    async def webhook_endpoints(self) -> Sequence[WebhookEndpoint]:
        page = await self.step(
            "list_webhook_endpoints", lambda: self.stripe.webhook_endpoints.list_async({"limit": PAGE})
        )
        return [WebhookEndpoint(endpoint.id, endpoint.url, None) async for endpoint in page.auto_paging_iter()]

    async def create_webhook_endpoint(self, url: str, event_types: Sequence[str]) -> WebhookEndpoint:
        params = {"url": url, "enabled_events": list(event_types), "api_version": stripe.api_version}
        made = await self.step(
            "create_webhook_endpoint", lambda: self.stripe.webhook_endpoints.create_async(cast(Any, params))
        )
        return WebhookEndpoint(made.id, made.url, made.secret)

    async def delete_webhook_endpoint(self, endpoint_id: str) -> None:
        await self.step("delete_webhook_endpoint", lambda: self.stripe.webhook_endpoints.delete_async(endpoint_id))

    async def events_after(self, event_id: str | None) -> Sequence[ProviderEvent]:
        params: dict[str, Any] = {"limit": PAGE}
        if event_id is not None:
            # Stripe lists newest first: what ends before an event is what came after it.
            params["ending_before"] = event_id
        page = await self.step("list_events", lambda: self.stripe.events.list_async(cast(Any, params)))
        return [event_value(event) for event in reversed(page.data)]

    async def events_since(self, since: datetime, *, event_types: Sequence[str]) -> Sequence[ProviderEvent]:
        params: Any = {"types": list(event_types), "created": {"gte": int(since.timestamp())}, "limit": PAGE}
        page = await self.step("list_events", lambda: self.stripe.events.list_async(params))
        newest_first = [event_value(event) async for event in page.auto_paging_iter()]
        return newest_first[::-1]
