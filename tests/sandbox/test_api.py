"""Stripe's API as a whole: keys, versions, unknown URLs, bodies that can't be read, calls that are refused."""

from __future__ import annotations

import httpx
import pytest
import stripe

SECRET_KEY = {"Authorization": "Bearer sk_test_counterfoil"}


async def test_a_publishable_key_cannot_make_calls_that_need_a_secret_key(browser: stripe.StripeClient) -> None:
    with pytest.raises(stripe.AuthenticationError):
        await browser.v1.customers.list_async()


@pytest.mark.parametrize("key", ["sk_live_x", "rk_test_x", "nonsense"])
async def test_keys_that_are_not_test_keys_are_not_accepted(web: httpx.AsyncClient, key: str) -> None:
    answer = await web.get("/v1/customers", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_only_the_api_version_of_the_sdk_is_accepted(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/customers", headers=SECRET_KEY | {"Stripe-Version": stripe.api_version})
    assert (answer.status_code, answer.headers["stripe-version"]) == (200, stripe.api_version)
    older = await web.get("/v1/customers", headers=SECRET_KEY | {"Stripe-Version": "2019-01-01"})
    assert older.status_code == 400


async def test_an_unknown_url_is_answered_with_stripes_error(web: httpx.AsyncClient) -> None:
    for method, path in (("GET", "/v1/subscription_items"), ("POST", "/v1/customers/x/y/z"), ("PUT", "/v1/customers")):
        answer = await web.request(method, path, headers=SECRET_KEY)
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")
        assert answer.headers["request-id"].startswith("req_")


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a" * 1_100_000, b"name[=x", b"&".join([b"a=1"] * 3000)])
async def test_an_invalid_body_is_answered_with_an_error_message(web: httpx.AsyncClient, body: bytes) -> None:
    answer = await web.post("/v1/customers", content=body, headers=SECRET_KEY)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["message"]


async def test_a_refused_call_changes_nothing(client: stripe.StripeClient) -> None:
    email = "refused@example.com"
    with pytest.raises(stripe.CardError):
        await client.v1.customers.create_async({"email": email, "payment_method": "pm_card_chargeDeclined"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.customers.create_async({"email": email, "payment_method": "pm_none"})
    assert (await client.v1.customers.list_async({"email": email})).data == []
    events = await client.v1.events.list_async({"type": "customer.created", "limit": 5})
    assert email not in str(events)
