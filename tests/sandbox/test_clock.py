"""The sandbox's clock, moved by the controls."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.sandbox.factories import new_customer


async def test_the_clock_is_set_and_advanced_and_dates_new_objects(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    before = (await web.get("/_sandbox/clock")).json()["timestamp"]
    moved = await web.post("/_sandbox/clock", json={"advance_seconds": 86400})
    assert moved.json()["timestamp"] - before >= 86400
    assert (await new_customer(client)).created >= before + 86400
    aim = before + 2 * 86400
    await web.post("/_sandbox/clock", json={"now": moved.json()["now"].replace("+00:00", "Z")})
    await web.post("/_sandbox/clock", json={"advance_seconds": aim - moved.json()["timestamp"]})
    assert (await web.get("/_sandbox/clock")).json()["timestamp"] >= aim


@pytest.mark.parametrize(
    "body",
    [{}, {"now": "tomorrow"}, {"now": "2030-01-01T00:00:00"}, {"advance_seconds": -1}, {"advance_seconds": "1"}],
)
async def test_an_invalid_time_is_refused(web: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await web.post("/_sandbox/clock", json=body)).status_code == 400
