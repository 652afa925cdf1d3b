"""Routes of webhook endpoints and of the list of events."""

from __future__ import annotations

from stripe import params as p

from sandbox.calls import Route
from sandbox.resources.webhooks import event_list, webhook_endpoints
from sandbox.shared_handlers import PAGING, PAGING_AND_CREATED, list_by, retrieve_by_id

_ENDPOINT = "description enabled_events metadata url"

ROUTES = (
    Route(
        "POST",
        "/v1/webhook_endpoints",
        p.WebhookEndpointCreateParams,
        webhook_endpoints.create,
        f"{_ENDPOINT} api_version",
    ),
    Route("GET", "/v1/webhook_endpoints", p.WebhookEndpointListParams, list_by("webhook_endpoint"), PAGING),
    Route("GET", "/v1/webhook_endpoints/{id}", p.WebhookEndpointRetrieveParams, retrieve_by_id("webhook_endpoint")),
    Route(
        "POST",
        "/v1/webhook_endpoints/{id}",
        p.WebhookEndpointUpdateParams,
        webhook_endpoints.update,
        f"{_ENDPOINT} disabled",
    ),
    Route("DELETE", "/v1/webhook_endpoints/{id}", p.WebhookEndpointDeleteParams, webhook_endpoints.delete),
    Route("GET", "/v1/events", p.EventListParams, event_list.list_events, f"{PAGING_AND_CREATED} type types"),
    Route("GET", "/v1/events/{id}", p.EventRetrieveParams, retrieve_by_id("event")),
)
