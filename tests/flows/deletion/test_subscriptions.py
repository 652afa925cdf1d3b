"""Deleting somebody who subscribes: the subscription ends first, and where that fails nothing is deleted."""

from __future__ import annotations

from typing import Any

from tests.flows.deletion.steps import delete_account
from tests.support.client import eventually
from tests.support.running_backend import RunningBackend
from tests.support.subscribing import (
    customer_of,
    open_page,
    pay_page,
    stripe_subscriptions,
    subscribe,
    subscription,
)


def _codes(errors: list[dict[str, Any]]) -> list[str]:
    return [error["code"] for error in errors]


async def _canceled(backend: RunningBackend, customer: str) -> bool:
    found = await backend.sandbox.listed("/v1/subscriptions", customer=customer, status="all")
    return [each["status"] for each in found] == ["canceled"]


async def test_an_account_is_deleted_after_what_it_subscribes_to_has_ended(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    customer = await customer_of(backend, person)

    assert _codes(await delete_account(backend, person)) == []

    assert await _canceled(backend, customer)


async def test_where_stripe_cant_end_it_nothing_is_deleted_and_it_goes_on(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    await backend.sandbox.fail("error_500", "/v1/subscriptions/.*", method="DELETE", times=10)

    assert _codes(await delete_account(backend, person)) == ["PAYMENT_UNAVAILABLE"]

    await backend.sandbox.restore()
    found = await subscription(backend, person)
    assert (found["plan"]["code"], found["status"]) == ("personal", "ACTIVE")
    assert [each["status"] for each in await stripe_subscriptions(backend, person)] == ["active"]


async def test_a_page_that_was_open_can_no_longer_be_paid(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    opened = await open_page(backend, person, "personal")

    assert _codes(await delete_account(backend, person)) == []

    assert await pay_page(backend, opened["url"]) != 303


async def test_a_deletion_that_was_stopped_after_the_end_leaves_the_workspace_on_the_fallback_plan(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    # the subscription ends, and its invoices can't be asked for
    await backend.sandbox.fail("error_500", "/v1/invoices", method="GET", times=10)

    assert _codes(await delete_account(backend, person)) == ["PAYMENT_UNAVAILABLE"]

    await backend.sandbox.restore()

    async def is_free() -> dict[str, Any] | None:
        found = await subscription(backend, person)
        return found if found["plan"]["code"] == "free" else None

    await eventually(is_free)
