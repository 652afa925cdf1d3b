"""Where Stripe reports its events: only what is signed, each once."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select

from app.db.tables.provider import ProviderEventRow
from tests.support.client import eventually
from tests.support.running_backend import RunningBackend


def _event(event_id: str, event_type: str = "invoice.paid") -> bytes:
    about: dict[str, Any] = {"id": "in_nothing", "object": "invoice", "customer": "cus_nobody"}
    event = {
        "id": event_id,
        "object": "event",
        "type": event_type,
        "created": int(time.time()),
        "api_version": None,
        "livemode": False,
        "pending_webhooks": 1,
        "request": None,
        "data": {"object": about},
    }
    return json.dumps(event).encode()


def _signed(payload: bytes, secret: str, at: int | None = None) -> str:
    timestamp = at if at is not None else int(time.time())
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


async def _post(backend: RunningBackend, payload: bytes, signature: str | None) -> httpx.Response:
    headers = httpx.Headers({"stripe-signature": signature} if signature is not None else {}, encoding="latin-1")
    return await backend.api.http.post(f"{backend.api.url}/stripe/webhook", content=payload, headers=headers)


async def _kept(backend: RunningBackend, event_id: str) -> int:
    async with backend.database.read() as session:
        found = select(func.count()).select_from(ProviderEventRow).where(ProviderEventRow.id == event_id)
        return (await session.scalar(found)) or 0


async def test_an_event_that_is_not_signed_with_the_endpoints_secret_is_refused_and_not_kept(
    backend: RunningBackend,
) -> None:
    event_id = f"evt_{uuid4().hex}"
    payload = _event(event_id)
    [secret] = backend.parts.event_secrets
    forged = [
        None,
        "",
        "nonsense",
        _signed(payload, "whsec_guessed"),
        _signed(payload + b" ", secret),
        _signed(payload, secret).replace("v1=", "v0="),
        _signed(payload, secret, at=int(time.time()) - 3600),
        f"t={int(time.time())},v1=\N{LATIN SMALL LETTER E WITH ACUTE}",
        "t=\N{SUPERSCRIPT TWO},v1=00",
    ]

    codes = [(await _post(backend, payload, signature)).status_code for signature in forged]

    assert codes == [400] * len(forged)
    assert await _kept(backend, event_id) == 0


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"{}", b'{"id": 1}', b"\xff", pytest.param(b"[" * 50_000, id="50,000 brackets")],
)
async def test_a_signed_body_that_is_no_event_is_refused(backend: RunningBackend, payload: bytes) -> None:
    [secret] = backend.parts.event_secrets

    assert (await _post(backend, payload, _signed(payload, secret))).status_code == 400


async def test_an_event_is_kept_once_however_often_it_is_delivered(backend: RunningBackend) -> None:
    event_id = f"evt_{uuid4().hex}"
    payload = _event(event_id)
    [secret] = backend.parts.event_secrets

    codes = [(await _post(backend, payload, _signed(payload, secret))).status_code for _ in range(3)]

    assert codes == [200, 200, 200]
    assert await _kept(backend, event_id) == 1


async def test_an_event_about_nothing_we_know_is_done_with(backend: RunningBackend) -> None:
    event_id = f"evt_{uuid4().hex}"
    payload = _event(event_id)
    [secret] = backend.parts.event_secrets
    await _post(backend, payload, _signed(payload, secret))

    async def processed() -> bool:
        async with backend.database.read() as session:
            row = await session.get(ProviderEventRow, event_id)
            return row is not None and row.processed_at is not None

    assert await eventually(processed)


@pytest.mark.catalogs("analytics", "compute")
@pytest.mark.parametrize("mode", ["duplicate", "shuffle", "drop"])
async def test_a_recharge_ends_the_same_however_its_events_arrive(backend: RunningBackend, mode: str) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.deliver(mode)

    payload = await backend.recharge(person)
    await backend.sandbox.flush()
    await backend.advance("PT10S")

    assert payload["userErrors"] == []
    assert len(await backend.charges(person)) == 1
    assert (await backend.balance(person))["available"] == payload["creditBalance"]["available"]
    assert len((await backend.history(person))["nodes"]) == 1
    assert [each["status"] for each in await backend.invoices(person)] == ["PAID"]
