"""The endpoint for events is as it was made, whatever someone does to it in Stripe's dashboard."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from app.asgi.stripe_events import EVENTS_PATH
from app.flows.provider.event_endpoint import endpoint_problems, ensure_event_endpoint
from app.payments.stripe_event_types import EVENT_TYPES
from tests.flows.provider_events.stories import deliver, signature
from tests.support.running_backend import RunningBackend

_KEY = {"authorization": "Bearer sk_test_sandbox"}


def _url(backend: RunningBackend) -> str:
    return backend.parts.settings.base_url + EVENTS_PATH


async def _check(backend: RunningBackend) -> str:
    """What a start does, and the worker from time to time."""
    return await ensure_event_endpoint(backend.parts.flow_context, _url(backend), EVENT_TYPES, backend.parts.cipher)


async def _endpoint(backend: RunningBackend) -> dict[str, Any]:
    [endpoint] = await backend.sandbox.listed("/v1/webhook_endpoints")
    return endpoint


def _is_right(backend: RunningBackend, endpoint: dict[str, Any]) -> bool:
    is_sent = set(endpoint["enabled_events"]) == set(EVENT_TYPES)
    return is_sent and (endpoint["status"], endpoint["url"]) == ("enabled", _url(backend))


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ("disabled", {"disabled": "true"}),
        ("url", {"url": "http://127.0.0.1:9/elsewhere"}),
        ("events", {"enabled_events[0]": "invoice.paid"}),
    ],
)
async def test_an_endpoint_changed_in_the_dashboard_is_set_right_keeps_its_secret_and_is_told_of(
    own_backend: RunningBackend, told: str, change: dict[str, str]
) -> None:
    before, [secret] = await _endpoint(own_backend), own_backend.parts.event_secrets
    await own_backend.sandbox.post(f"/v1/webhook_endpoints/{before['id']}", **change)

    with capture_logs() as logs:
        again = await _check(own_backend)

    after = await _endpoint(own_backend)
    assert (after["id"], again) == (before["id"], secret)
    assert _is_right(own_backend, after)
    assert [line["changed"] for line in logs if line["event"] == "webhook.updated"] == [[told]]


async def test_a_deleted_endpoint_is_made_again_and_every_server_learns_its_new_secret(
    own_backend: RunningBackend,
) -> None:
    before, [old] = await _endpoint(own_backend), own_backend.parts.event_secrets
    await own_backend.api.http.delete(f"{own_backend.sandbox.url}/v1/webhook_endpoints/{before['id']}", headers=_KEY)

    with capture_logs() as logs:
        # another process than the server checks, so that the server knows only the old secret
        new = await _check(own_backend)

    assert new != old
    assert own_backend.parts.event_secrets == [old]
    assert _is_right(own_backend, await _endpoint(own_backend))
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["webhook.made_again"]
    payload = orjson.dumps(
        {
            "id": "evt_after",
            "object": "event",
            "type": "invoice.paid",
            "created": 1,
            "data": {"object": {"id": "in_nothing", "object": "invoice", "customer": "cus_nobody"}},
        }
    )
    assert (await deliver(own_backend, payload, signature(payload, new))).status_code == 200
    assert own_backend.parts.event_secrets == [new]
    assert (await deliver(own_backend, payload, signature(payload, old))).status_code == 400


async def test_a_check_that_finds_nothing_wrong_asks_once_and_writes_nothing(own_backend: RunningBackend) -> None:
    async with httpx.AsyncClient() as http:
        (await http.delete(f"{own_backend.sandbox.url}/_sandbox/requests")).raise_for_status()

    await _check(own_backend)

    assert len(await own_backend.sandbox.requests("/v1/.*", method="GET")) == 1
    assert await own_backend.sandbox.requests("/v1/.*") == []


async def test_what_is_wrong_with_an_endpoint_that_an_operator_made_is_told_and_not_changed(
    own_backend: RunningBackend,
) -> None:
    endpoint = await _endpoint(own_backend)
    path = f"/v1/webhook_endpoints/{endpoint['id']}"

    async def problems() -> list[str]:
        return list(await endpoint_problems(own_backend.parts.flow_context, _url(own_backend), EVENT_TYPES))

    assert await problems() == []
    await own_backend.sandbox.post(path, **{"enabled_events[0]": "*"})
    assert await problems() == []
    await own_backend.sandbox.post(path, **{"enabled_events[0]": "invoice.paid"})
    [missing] = await problems()
    assert "payment_method.automatically_updated" in missing
    assert "invoice.paid" not in missing
    await own_backend.sandbox.post(path, disabled="true")
    assert "disabled" in (await problems())[0]
    await own_backend.sandbox.post(path, url="http://127.0.0.1:9/elsewhere")
    assert "no webhook endpoint" in (await problems())[0]
    assert (await _endpoint(own_backend))["status"] == "disabled"
