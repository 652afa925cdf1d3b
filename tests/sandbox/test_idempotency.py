"""Idempotency keys: the same answer again, also after a decline, and work that is done once."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import stripe

from tests.sandbox.factories import customer_with_card, new_customer, open_invoice

SECRET_KEY = {"Authorization": "Bearer sk_test_counterfoil"}


def keyed(key: str) -> dict[str, str]:
    return SECRET_KEY | {"Idempotency-Key": key}


async def test_a_request_sent_again_gets_the_same_answer_and_is_executed_once(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client)
    form = {
        "amount": "500",
        "currency": "eur",
        "customer": customer.id,
        "confirm": "true",
        "payment_method": "pm_card_visa",
    }
    first, second = [await web.post("/v1/payment_intents", data=form, headers=keyed(customer.id)) for _ in range(2)]
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]
    assert len((await client.v1.charges.list_async({"customer": customer.id})).data) == 1


async def test_a_decline_is_answered_again_and_the_card_is_not_tried_again(client: stripe.StripeClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_chargeCustomerFail")
    invoice = await open_invoice(client, customer.id)
    errors: list[stripe.CardError] = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            await client.v1.invoices.pay_async(
                invoice.id, {"payment_method": method.id}, {"idempotency_key": f"pay-{invoice.id}"}
            )
        errors.append(declined.value)
    assert errors[0].http_body == errors[1].http_body
    assert (await client.v1.invoices.retrieve_async(invoice.id)).attempt_count == 1


@pytest.mark.parametrize(("path", "form"), [("customers", {"name": "B"}), ("products", {"name": "A"})])
async def test_a_key_sent_with_another_request_is_refused(
    client: stripe.StripeClient, web: httpx.AsyncClient, path: str, form: dict[str, str]
) -> None:
    key = f"reused-{path}"
    await client.v1.customers.create_async({"name": "A"}, {"idempotency_key": key})
    refused = await web.post(f"/v1/{path}", data=form, headers=keyed(key))
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "idempotency_error")


async def test_a_key_whose_first_request_is_not_answered_yet_is_a_conflict(web: httpx.AsyncClient) -> None:
    await web.post("/_sandbox/faults", json={"kind": "hang", "path": "/v1/customers", "seconds": 600})
    first = asyncio.create_task(web.post("/v1/customers", data={"name": "A"}, headers=keyed("in-flight")))
    in_flight = False
    while not in_flight:
        logged = (await web.get("/_sandbox/requests", params={"path": "/v1/customers"})).json()["requests"]
        in_flight = bool(logged) and logged[-1]["fault"] == "hang"
    second = await web.post("/v1/customers", data={"name": "A"}, headers=keyed("in-flight"))
    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    await web.delete("/_sandbox/faults")
    assert (await first).status_code == 200


async def test_fifty_equal_requests_at_once_charge_once(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    customer, method = await customer_with_card(client, "pm_card_visa")
    invoice = await open_invoice(client, customer.id)

    async def pay() -> httpx.Response:
        form = {"payment_method": method.id}
        while True:
            answer = await web.post(f"/v1/invoices/{invoice.id}/pay", data=form, headers=keyed(f"fifty-{invoice.id}"))
            if answer.status_code != 409:
                return answer

    answers = await asyncio.gather(*(pay() for _ in range(50)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len((await client.v1.charges.list_async({"customer": customer.id})).data) == 1


async def test_a_refused_parameter_does_not_use_up_the_key(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    refused = await web.post("/v1/customers", data={"nmae": "A"}, headers=keyed("typo"))
    assert refused.json()["error"]["code"] == "parameter_unknown"
    assert (await web.post("/v1/customers", data={"name": "A"}, headers=keyed("typo"))).status_code == 200


async def test_a_key_expires_after_a_day(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    made = [(await client.v1.customers.create_async({"name": "A"}, {"idempotency_key": "daily"})).id for _ in range(2)]
    await web.post("/_sandbox/clock", json={"advance_seconds": 24 * 3600})
    later = await client.v1.customers.create_async({"name": "A"}, {"idempotency_key": "daily"})
    assert made[0] == made[1] != later.id
