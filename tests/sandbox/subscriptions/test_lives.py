"""What becomes of a subscription as time passes and payments succeed or fail."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import stripe

from tests.sandbox.event_types import event_types
from tests.sandbox.factories import new_customer
from tests.sandbox.refusals import Refusal, refusal
from tests.sandbox.subscriptions.subscribing import (
    DAY,
    HOUR,
    latest_invoice,
    move_by,
    move_to,
    new_price,
    only_item,
    subscribe,
    to_renewal,
    use_card,
    with_quantity,
)


async def test_a_paid_subscription_is_active_and_its_line_says_what_it_bills(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client, 1500, quantity=2)
    invoice = await latest_invoice(client, subscription)

    assert (subscription.status, invoice.status, invoice.amount_paid) == ("active", "paid", 3000)
    [line] = invoice.lines.data
    assert line.parent is not None
    assert line.parent.subscription_item_details is not None
    assert line.parent.subscription_item_details.subscription_item == only_item(subscription).id
    assert line.parent.subscription_item_details.proration is False
    assert line.description == "2 × Team (at 15.00 EUR / month)"
    assert invoice.parent is not None
    assert invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == subscription.id


async def test_the_first_payment_is_told_of_in_its_usual_order(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    invoice = await latest_invoice(client, subscription)
    assert await event_types(client, subscription.id) == [
        "customer.subscription.created",
        "customer.subscription.updated",
    ]
    assert await event_types(client, str(invoice.id)) == [
        "invoice.created",
        "invoice.finalized",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]


async def test_a_first_payment_that_waits_for_its_holder_is_made_later(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client, card="pm_card_authenticationRequired")
    assert subscription.status == "incomplete"
    method = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": str(subscription.customer)})

    await client.v1.invoices.pay_async(str(subscription.latest_invoice), {"payment_method": method.id})

    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "active"


async def test_a_first_payment_that_does_not_come_ends_the_subscription_after_23_hours(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client, payment_behavior="default_incomplete")
    await move_by(web, 22 * HOUR)
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "incomplete"
    await move_by(web, 2 * HOUR)

    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "incomplete_expired"
    assert (await latest_invoice(client, subscription)).status == "void"


async def test_a_subscription_that_must_be_paid_at_once_is_not_made_without(client: stripe.StripeClient) -> None:
    refused = await refusal(
        subscribe(client, card="pm_card_chargeCustomerFail", payment_behavior="error_if_incomplete")
    )
    assert refused == Refusal(402, "card_declined", None)


async def test_a_renewal_is_charged_an_hour_after_the_period_began(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await to_renewal(web, subscription, HOUR // 2)
    draft = await latest_invoice(client, subscription)
    assert (draft.status, draft.auto_advance, draft.billing_reason) == ("draft", True, "subscription_cycle")
    await to_renewal(web, subscription, 2 * HOUR)

    renewed = await client.v1.subscriptions.retrieve_async(subscription.id)
    invoice = await latest_invoice(client, subscription)
    assert (invoice.id, invoice.status) == (draft.id, "paid")
    assert only_item(renewed).current_period_start == only_item(subscription).current_period_end
    assert invoice.status_transitions.paid_at == only_item(subscription).current_period_end + HOUR


async def test_a_renewal_that_stays_unpaid_is_tried_three_times_more_and_then_ends_the_subscription(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    attempts: list[tuple[str, int]] = []
    for days in (0, 3, 5, 7):
        if days == 0:
            await to_renewal(web, subscription)
        else:
            await move_by(web, days * DAY)
        now = await client.v1.subscriptions.retrieve_async(subscription.id)
        attempts.append((now.status, (await latest_invoice(client, subscription)).attempt_count))

    assert attempts == [("past_due", 1), ("past_due", 2), ("past_due", 3), ("canceled", 4)]
    ended = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.reason == "payment_failed"
    invoice = await latest_invoice(client, subscription)
    assert (invoice.status, invoice.auto_advance, invoice.next_payment_attempt) == ("open", False, None)


async def test_a_card_that_was_lost_is_not_charged_again_but_its_tries_are_counted(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_authenticationRequired")
    await to_renewal(web, subscription)
    await move_by(web, 3 * DAY)

    invoice = await latest_invoice(client, subscription)
    assert invoice.attempt_count == 2
    charges = await client.v1.charges.list_async({"customer": str(subscription.customer)})
    assert [charge.status for charge in charges.data] == ["failed", "succeeded"]


async def test_a_subscription_past_due_is_active_again_once_its_invoice_is_paid(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    await to_renewal(web, subscription)
    await use_card(client, subscription, "pm_card_visa")

    await client.v1.invoices.pay_async(str((await latest_invoice(client, subscription)).id))

    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "active"


async def test_an_invoice_paid_elsewhere_makes_a_subscription_active_again(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    await to_renewal(web, subscription)

    await client.v1.invoices.pay_async(str((await latest_invoice(client, subscription)).id), {"paid_out_of_band": True})

    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "active"


async def test_a_subscription_is_charged_to_its_own_card_before_its_customers(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    own = await client.v1.payment_methods.attach_async("pm_card_mastercard", {"customer": str(subscription.customer)})
    await client.v1.subscriptions.update_async(subscription.id, {"default_payment_method": own.id})
    await to_renewal(web, subscription)

    charges = await client.v1.charges.list_async({"customer": str(subscription.customer)})
    assert charges.data[0].payment_method == own.id


async def test_an_end_is_set_taken_back_and_reached(client: stripe.StripeClient, web: httpx.AsyncClient) -> None:
    subscription = await subscribe(client)
    ending = await client.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    assert ending.cancel_at == only_item(subscription).current_period_end
    staying = await client.v1.subscriptions.update_async(subscription.id, {"cancel_at": ""})
    assert (staying.cancel_at, staying.cancel_at_period_end, staying.canceled_at) == (None, False, None)
    await client.v1.subscriptions.update_async(subscription.id, {"cancel_at": "min_period_end"})
    await to_renewal(web, subscription)

    ended = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", only_item(subscription).current_period_end)
    assert ended.latest_invoice == subscription.latest_invoice
    assert (await event_types(client, subscription.id))[-1] == "customer.subscription.deleted"
    again = await refusal(client.v1.subscriptions.cancel_async(subscription.id))
    assert again == Refusal(404, "resource_missing", "id")


async def test_what_waits_when_a_subscription_ends_is_still_collected(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await with_quantity(client, subscription, 3)
    await client.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    await to_renewal(web, subscription)

    invoice = await latest_invoice(client, subscription)
    assert (invoice.status, len(invoice.lines.data)) == ("paid", 2)
    assert invoice.total > 1900


async def test_a_cancelation_at_once_gives_credit_only_if_asked(client: stripe.StripeClient) -> None:
    without = await subscribe(client)
    await with_quantity(client, without, 2)
    await client.v1.subscriptions.cancel_async(without.id)
    waiting = await client.v1.invoice_items.list_async({"customer": str(without.customer), "pending": True})
    assert waiting.data == []

    credited = await subscribe(client)
    await client.v1.subscriptions.cancel_async(credited.id, {"prorate": True})
    [credit] = (await client.v1.invoice_items.list_async({"customer": str(credited.customer), "pending": True})).data
    assert -1000 <= credit.amount < -990
    # what was paid for is refunded by hand: the credit that waits is removed
    assert (await client.v1.invoice_items.delete_async(credit.id)).deleted


async def test_a_pause_of_collection_leaves_renewals_as_it_says(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await client.v1.subscriptions.update_async(subscription.id, {"pause_collection": {"behavior": "void"}})
    await to_renewal(web, subscription)
    now = await client.v1.subscriptions.retrieve_async(subscription.id)
    assert (now.status, (await latest_invoice(client, subscription)).status) == ("active", "void")

    await client.v1.subscriptions.update_async(subscription.id, {"pause_collection": ""})
    await to_renewal(web, now)
    assert (await latest_invoice(client, subscription)).status == "paid"


async def test_a_deleted_customers_subscription_is_canceled(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    await client.v1.customers.delete_async(str(subscription.customer))
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "canceled"


async def test_subscriptions_are_listed_by_customer_price_and_status(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    customer, price = str(subscription.customer), only_item(subscription).price.id
    await client.v1.subscriptions.cancel_async(subscription.id)
    for params, found in (
        ({"customer": customer}, 0),
        ({"customer": customer, "status": "all"}, 1),
        ({"customer": customer, "status": "ended"}, 1),
        ({"price": price, "status": "canceled"}, 1),
        ({"price": price, "status": "active"}, 0),
    ):
        given: stripe.params.SubscriptionListParams = params  # pyright: ignore[reportAssignmentType]
        assert len((await client.v1.subscriptions.list_async(given)).data) == found


async def test_what_a_subscription_cant_be_made_of_is_refused(client: stripe.StripeClient) -> None:
    customer = await new_customer(client, payment_method="pm_card_visa")
    month, year = await new_price(client), await new_price(client, every="year")
    week, dollars = await new_price(client, every="week"), await new_price(client, currency="usd")
    once = await client.v1.prices.create_async(
        {"currency": "eur", "unit_amount": 100, "product_data": {"name": "Once"}}
    )
    for items, param in (
        ([{"price": week}, {"price": month}], "items"),
        ([{"price": month}, {"price": dollars}], "items"),
        ([{"price": once.id}], "items[0][price]"),
        ([{"price": month, "quantity": -1}], "items[0][quantity]"),
        ([], "items"),
    ):
        refused = await refusal(
            client.v1.subscriptions.create_async({"customer": customer.id, "items": items})  # pyright: ignore[reportArgumentType]
        )
        assert (refused.status, refused.param) == (400, param)
    with_both = await client.v1.subscriptions.create_async(
        {
            "customer": customer.id,
            "items": [{"price": month}, {"price": year}],
            "payment_behavior": "default_incomplete",
        }
    )
    assert len(with_both["items"].data) == 2


async def test_an_anchor_ahead_makes_a_first_period_that_costs_its_part(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    now = (await web.get("/_sandbox/clock")).json()["timestamp"]
    anchor = now + 10 * DAY
    stub = await subscribe(client, 3100, billing_cycle_anchor=anchor)
    item = only_item(stub)
    assert (item.current_period_end, stub.billing_cycle_anchor) == (anchor, anchor)
    first = await latest_invoice(client, stub)
    assert 990 < first.total < 1110
    free = await subscribe(client, 3100, billing_cycle_anchor=anchor, proration_behavior="none")
    assert (free.status, free.latest_invoice) == ("active", None)
    await to_renewal(web, stub)
    assert (await latest_invoice(client, stub)).total == (await latest_invoice(client, free)).total == 3100


async def test_a_failed_payment_of_a_renewals_draft_is_tried_again_only_days_later(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    subscription = await subscribe(client)
    await use_card(client, subscription, "pm_card_chargeCustomerFail")
    await to_renewal(web, subscription, HOUR // 2)
    draft = await latest_invoice(client, subscription)
    assert (await refusal(client.v1.invoices.pay_async(str(draft.id)))).status == 402
    await move_by(web, HOUR)

    invoice = await latest_invoice(client, subscription)
    assert (invoice.id, invoice.attempt_count) == (draft.id, 1)
    assert (await client.v1.subscriptions.retrieve_async(subscription.id)).status == "past_due"


async def test_invoices_are_listed_by_subscription_and_made_of_what_waits(client: stripe.StripeClient) -> None:
    subscription = await subscribe(client)
    customer = str(subscription.customer)
    nothing = await refusal(client.v1.invoices.create_async({"customer": customer, "subscription": subscription.id}))
    assert nothing == Refusal(400, "invoice_no_subscription_line_items", None)
    await with_quantity(client, subscription, 3)
    made = await client.v1.invoices.create_async({"customer": customer, "subscription": subscription.id})
    assert (made.billing_reason, len(made.lines.data)) == ("manual", 2)
    listed = await client.v1.invoices.list_async({"subscription": subscription.id})
    assert [invoice.id for invoice in listed.data] == [made.id, subscription.latest_invoice]
    expanded = await client.v1.customers.retrieve_async(customer, {"expand": ["subscriptions"]})
    assert expanded.subscriptions is not None
    assert [each.id for each in expanded.subscriptions.data] == [subscription.id]


async def test_an_anchor_by_the_day_is_kept_over_shorter_months(
    client: stripe.StripeClient, web: httpx.AsyncClient
) -> None:
    now = (await web.get("/_sandbox/clock")).json()["timestamp"]
    # to the tenth of the next April, whose last day is the 30th
    year = datetime.fromtimestamp(now, UTC).year + 1
    await move_to(web, int(datetime(year, 4, 10, 9, tzinfo=UTC).timestamp()))
    subscription = await subscribe(client, 3000, billing_cycle_anchor_config={"day_of_month": 31, "hour": 0})
    ends = [only_item(subscription).current_period_end]
    for _ in range(2):
        await move_to(web, ends[-1] + 2 * HOUR)
        ends.append(only_item(await client.v1.subscriptions.retrieve_async(subscription.id)).current_period_end)
    days = [datetime.fromtimestamp(end, UTC).strftime("%d %b %H") for end in ends]
    assert days == ["30 Apr 00", "31 May 00", "30 Jun 00"]
