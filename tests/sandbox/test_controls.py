"""The sandbox's own controls, and its life as a process."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import stripe

from tests.sandbox.scenes import new_customer
from tests.support.sandbox import SandboxProcess, sdk


async def test_time_is_set_and_advanced_and_dates_what_is_made(
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
    "order",
    [{}, {"now": "tomorrow"}, {"now": "2030-01-01T00:00:00"}, {"advance_seconds": -1}, {"advance_seconds": "1"}],
)
async def test_a_time_that_makes_no_sense_is_refused(web: httpx.AsyncClient, order: dict[str, object]) -> None:
    assert (await web.post("/_sandbox/clock", json=order)).status_code == 400


async def test_a_request_dropped_before_the_work_leaves_nothing(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    await web.post("/_sandbox/faults", json={"kind": "drop_before", "path": "/v1/products"})
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.products.create_async({"id": "prod_dropped_before", "name": "A"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.products.retrieve_async("prod_dropped_before")


async def test_a_request_dropped_after_the_work_has_done_it(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    await web.post("/_sandbox/faults", json={"kind": "drop_after", "path": "/v1/products"})
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.products.create_async({"id": "prod_dropped_after", "name": "A"})
    assert (await client.v1.products.retrieve_async("prod_dropped_after")).name == "A"
    logged = (await web.get("/_sandbox/requests", params={"method": "POST", "path": "/v1/products"})).json()
    assert logged["requests"][-1] | {"idempotency_key": None} == {
        "method": "POST",
        "path": "/v1/products",
        "idempotency_key": None,
        "status": 200,
        "replayed": False,
        "fault": "drop_after",
    }


async def test_a_failing_request_fails_as_often_as_ordered_and_does_nothing(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    await web.post("/_sandbox/faults", json={"kind": "error_500", "path": "/v1/products", "times": 2})
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            await client.v1.products.create_async({"id": "prod_after_500", "name": "A"}, {"idempotency_key": "500"})
        assert failed.value.http_status == 500
    assert (await web.get("/_sandbox/faults")).json() == {"faults": []}
    made = await client.v1.products.create_async({"id": "prod_after_500", "name": "A"}, {"idempotency_key": "500"})
    assert made.id == "prod_after_500"


@pytest.mark.parametrize("order", [{}, {"kind": "fire"}, {"kind": "hang", "path": "["}, {"kind": "hang", "often": 1}])
async def test_a_fault_that_makes_no_sense_is_refused(web: httpx.AsyncClient, order: dict[str, object]) -> None:
    assert (await web.post("/_sandbox/faults", json=order)).status_code == 400


async def test_state_time_and_answers_survive_a_kill(own_sandbox: SandboxProcess) -> None:
    made = await sdk(own_sandbox.url).v1.customers.create_async({"name": "Ada"}, {"idempotency_key": "survives"})
    async with httpx.AsyncClient(base_url=own_sandbox.url) as http:
        before = (await http.post("/_sandbox/clock", json={"advance_seconds": 600})).json()["timestamp"]
    own_sandbox.kill()
    await asyncio.to_thread(own_sandbox.start)
    again = await sdk(own_sandbox.url).v1.customers.create_async({"name": "Ada"}, {"idempotency_key": "survives"})
    assert again.id == made.id
    async with httpx.AsyncClient(base_url=own_sandbox.url) as http:
        assert (await http.get("/_sandbox/clock")).json()["timestamp"] >= before
        assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_it_ends_cleanly_by_sigterm_and_with_its_parent(own_sandbox: SandboxProcess) -> None:
    assert await asyncio.to_thread(own_sandbox.stop) == 0
    await asyncio.to_thread(own_sandbox.start)
    assert await asyncio.to_thread(own_sandbox.close_stdin) == 0
    await asyncio.to_thread(own_sandbox.start)
