"""Currencies: which there are, and which amounts can be charged in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import stripe

from sandbox.currencies import MAXIMUM_AMOUNT, SUPPORTED, check_amount, minimum_charge, money
from sandbox.errors import StripeError
from tests.sandbox.event_types import event_types
from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import refusal

Call = Callable[[stripe.StripeClient, int, str], Awaitable[object]]


async def pay(client: stripe.StripeClient, amount: int, currency: str) -> None:
    await client.v1.payment_intents.create_async({"amount": amount, "currency": currency})


async def price(client: stripe.StripeClient, amount: int, currency: str) -> None:
    form: Any = {"unit_amount": amount, "currency": currency, "product_data": {"name": "Pack"}}
    await client.v1.prices.create_async(form)


async def bill(client: stripe.StripeClient, amount: int, currency: str) -> None:
    customer = await new_customer(client)
    await client.v1.invoice_items.create_async({"customer": customer.id, "amount": amount, "currency": currency})


async def bill_by_price_data(client: stripe.StripeClient, amount: int, currency: str) -> None:
    customer = await new_customer(client)
    product = await client.v1.products.create_async({"name": "Pack"})
    price_data: Any = {"unit_amount": amount, "currency": currency, "product": product.id}
    await client.v1.invoice_items.create_async({"customer": customer.id, "price_data": price_data})


async def check_out(client: stripe.StripeClient, amount: int, currency: str) -> None:
    customer = await new_customer(client)
    price_data: Any = {"unit_amount": amount, "currency": currency, "product_data": {"name": "Pack"}}
    await client.v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "customer": customer.id,
            "line_items": [{"price_data": price_data, "quantity": 1}],
            "success_url": "https://shop.example",
        }
    )


CALLS = pytest.mark.parametrize("call", [pay, price, bill, bill_by_price_data, check_out])


@CALLS
async def test_a_currency_that_stripe_does_not_know_is_refused(client: stripe.StripeClient, call: Call) -> None:
    refused = await refusal(
        call(client, 1000, "xyz"), "^Request req_.*: Invalid currency: xyz. Stripe currently supports"
    )
    assert (refused.status, refused.code) == (400, None)
    assert str(refused.param).endswith(("currency", "currency]"))


async def test_an_invoice_in_a_currency_that_stripe_does_not_know_is_refused(client: stripe.StripeClient) -> None:
    customer = await new_customer(client)
    refused = await refusal(client.v1.invoices.create_async({"customer": customer.id, "currency": "xyz"}))
    assert refused == (400, None, "currency")


@CALLS
@pytest.mark.parametrize(("amount", "currency"), [(5124, "kwd"), (12345, "ugx"), (12345, "isk")])
async def test_an_amount_between_two_steps_of_its_currency_is_refused(
    client: stripe.StripeClient, call: Call, amount: int, currency: str
) -> None:
    assert (await refusal(call(client, amount, currency), "evenly divisible")).status == 400
    step = 10 if currency == "kwd" else 100
    await call(client, amount - amount % step, currency)


@CALLS
async def test_an_amount_of_more_than_eight_digits_is_refused(client: stripe.StripeClient, call: Call) -> None:
    refused = await refusal(call(client, 100_000_000, "eur"), "no more than €999,999.99")
    assert (refused.status, refused.code) == (400, "amount_too_large")
    await call(client, 99_999_999, "eur")


@pytest.mark.parametrize(("currency", "least"), [("eur", 50), ("gbp", 30), ("sek", 300), ("jpy", 50), ("huf", 17500)])
async def test_less_than_the_currencys_smallest_charge_is_refused(
    client: stripe.StripeClient, currency: str, least: int
) -> None:
    for call in (pay, check_out):
        assert (await refusal(call(client, least - 1, currency))).code == "amount_too_small"
        await call(client, least, currency)


async def test_an_invoice_of_more_than_can_be_charged_is_not_finalized_and_says_why(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    customer = await new_customer(client)
    draft = await client.v1.invoices.create_async({"customer": customer.id, "currency": "eur", "auto_advance": True})
    for _ in range(2):
        await client.v1.invoice_items.create_async({"customer": customer.id, "invoice": draft.id, "amount": 60_000_000})
    refused = await refusal(client.v1.invoices.finalize_invoice_async(draft.id))
    assert refused == (400, "amount_too_large", "amount")
    moved = await web.post("/_sandbox/clock", json={"advance_seconds": 3601})
    assert moved.status_code == 200
    after = await client.v1.invoices.retrieve_async(draft.id)
    assert (after.status, after.automatically_finalizes_at) == ("draft", None)
    assert after.last_finalization_error is not None
    assert after.last_finalization_error.code == "amount_too_large"
    assert (await event_types(client, draft.id))[-1] == "invoice.finalization_failed"


@pytest.mark.parametrize("currency", SUPPORTED)
def test_the_smallest_charge_can_be_charged(currency: str) -> None:
    least = minimum_charge(currency)
    steps = [least, -(-least // 100) * 100]
    assert any(not refuses(step, currency) for step in steps)
    assert refuses(MAXIMUM_AMOUNT + 1, currency)


def refuses(amount: int, currency: str) -> bool:
    try:
        check_amount(amount, currency, "amount")
    except StripeError:
        return True
    return False


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1210, "eur", "12.10 EUR"), (-5, "usd", "-0.05 USD"), (1500, "jpy", "1,500 JPY"), (1230, "kwd", "1.230 KWD")],
)
def test_money_is_written_with_its_currencys_decimals(amount: int, currency: str, text: str) -> None:
    assert money(amount, currency) == text
