"""Fault injection."""

from __future__ import annotations

import httpx
import pytest
import stripe

from sandbox.faults import MAX_FAULTS


async def test_a_request_dropped_before_the_work_changes_nothing(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    await web.post("/_sandbox/faults", json={"kind": "drop_before", "path": "/v1/products"})
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.products.create_async({"id": "prod_dropped_before", "name": "A"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.products.retrieve_async("prod_dropped_before")


async def test_a_request_dropped_after_the_work_has_been_executed(
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


async def test_a_request_fails_as_often_as_the_fault_says_and_changes_nothing(
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


@pytest.mark.parametrize("fault", [{}, {"kind": "fire"}, {"kind": "hang", "path": "["}, {"kind": "hang", "often": 1}])
async def test_an_invalid_fault_is_refused(web: httpx.AsyncClient, fault: dict[str, object]) -> None:
    assert (await web.post("/_sandbox/faults", json=fault)).status_code == 400


async def test_one_fault_too_many_is_refused_with_the_limit(web: httpx.AsyncClient) -> None:
    fault = {"kind": "error_500", "path": "/v1/never"}
    answers = [await web.post("/_sandbox/faults", json=fault) for _ in range(MAX_FAULTS + 1)]
    assert [answer.status_code for answer in answers] == [200] * MAX_FAULTS + [400]
    assert answers[-1].json()["error"]["message"].startswith(f"There can be {MAX_FAULTS} faults")
