"""Stripe's portal: who gets there, what it offers, and that everything done there is mirrored."""

from __future__ import annotations

from tests.support.billing_details import act_in_portal, open_portal, portal_url, stripe_customer
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_seats,
    codes,
    customer_of,
    keep,
    provider_id,
    subscribe,
    subscription,
)


async def _page(backend: RunningBackend, url: str) -> str:
    return (await backend.api.http.get(url)).raise_for_status().text


async def _in_team(backend: RunningBackend, seats: int = 2) -> Person:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=seats)
    return person


async def _has_pending(backend: RunningBackend, person: Person, kind: str | None) -> None:
    async def is_so() -> bool:
        pending = (await subscription(backend, person))["pendingChange"]
        return (pending["kind"] if pending is not None else None) == kind

    await eventually(is_so)


async def test_somebody_who_never_paid_gets_a_page_and_a_customer(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    page = await _page(backend, await portal_url(backend, person))
    assert "There is no subscription." in page
    assert (await stripe_customer(backend, person))["email"] == person.address


async def test_it_leads_back_to_where_the_caller_says_if_that_is_listed(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    opened = await open_portal(backend, person, returnUrl="http://localhost:3000/billing?tab=1")
    assert codes(opened) == []
    assert 'href="http://localhost:3000/billing?tab=1"' in await _page(backend, opened["url"])
    refused = await open_portal(backend, person, returnUrl="https://elsewhere.example/")
    assert (codes(refused), refused["userErrors"][0]["path"]) == (["URL_NOT_ALLOWED"], ["input", "returnUrl"])


async def test_without_a_return_address_it_leads_to_a_page_of_our_own(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    page = await _page(backend, await portal_url(backend, person))
    assert f'href="{backend.api.url}/done"' in page


async def test_canceling_there_is_shown_here_and_can_be_taken_back_on_either_side(backend: RunningBackend) -> None:
    person = await _in_team(backend)
    url = await portal_url(backend, person)
    given = {"subscription": await provider_id(backend, person)}
    assert await act_in_portal(backend, url, "cancel", **given) == 303
    await _has_pending(backend, person, "CANCELLATION")
    assert codes(await keep(backend, person)) == []
    assert await act_in_portal(backend, url, "cancel", **given) == 303
    await _has_pending(backend, person, "CANCELLATION")
    assert await act_in_portal(backend, url, "renew", **given) == 303
    await _has_pending(backend, person, None)


async def test_with_a_downgrade_pending_it_does_not_offer_to_cancel_and_our_mutation_does(
    backend: RunningBackend,
) -> None:
    person = await _in_team(backend, seats=4)
    assert codes(await change_seats(backend, person, 2)) == []
    await _has_pending(backend, person, "DOWNGRADE")
    url = await portal_url(backend, person)
    page = await _page(backend, url)
    assert "Cancel on" not in page
    assert "can't be canceled" not in page
    status = await act_in_portal(backend, url, "cancel", subscription=await provider_id(backend, person))
    assert status == 400
    assert codes(await cancel(backend, person)) == []
    await _has_pending(backend, person, "CANCELLATION")
    assert "Do not cancel" in await _page(backend, await portal_url(backend, person))


async def test_a_card_added_chosen_and_removed_there_is_shown_here_and_charged(own_backend: RunningBackend) -> None:
    backend, person = own_backend, await _in_team(own_backend)
    url = await portal_url(backend, person)
    assert await act_in_portal(backend, url, "add_card", card="pm_card_mastercard") == 303

    async def default_is(brand: str, cards: int) -> bool:
        found = await backend.cards(person)
        return len(found) == cards and found[0]["brand"] == brand

    await eventually(lambda: default_is("mastercard", 2))
    customer = await customer_of(backend, person)
    cards = await backend.sandbox.listed(f"/v1/customers/{customer}/payment_methods")
    visa = next(card["id"] for card in cards if card["card"]["brand"] == "visa")
    assert await act_in_portal(backend, url, "make_default", payment_method=visa) == 303
    await eventually(lambda: default_is("visa", 2))
    mastercard = next(card["id"] for card in cards if card["card"]["brand"] == "mastercard")
    assert await act_in_portal(backend, url, "remove_card", payment_method=mastercard) == 303
    await eventually(lambda: default_is("visa", 1))
    await backend.advance("P32D")
    assert [charge["payment_method"] for charge in await backend.charges(person)] == [visa, visa]


async def test_while_stripe_is_away_it_is_said(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    await own_backend.sandbox.fail("error_500", "/v1/billing_portal/sessions", times=10)
    assert codes(await open_portal(own_backend, person)) == ["PAYMENT_UNAVAILABLE"]


async def test_a_configuration_switched_off_at_stripe_is_made_usable_again(own_backend: RunningBackend) -> None:
    backend, person = own_backend, await own_backend.sign_up()
    await backend.sandbox.deliver("drop")
    for each in await backend.sandbox.listed("/v1/billing_portal/configurations"):
        await backend.sandbox.post(f"/v1/billing_portal/configurations/{each['id']}", active="false")
    assert codes(await open_portal(backend, person)) == []


async def test_a_customer_deleted_at_stripe_is_made_anew_for_it(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await portal_url(backend, person)
    before = await customer_of(backend, person)
    await backend.sandbox.deliver("drop")
    await backend.sandbox.delete(f"/v1/customers/{before}")
    await portal_url(backend, person)
    assert await customer_of(backend, person) != before


async def test_it_opens_for_somebody_whose_subscription_has_ended(backend: RunningBackend) -> None:
    person = await _in_team(backend)
    await backend.sandbox.delete(f"/v1/subscriptions/{await provider_id(backend, person)}")

    async def has_ended() -> bool:
        return (await subscription(backend, person))["status"] == "CANCELED"

    await eventually(has_ended)
    page = await _page(backend, await portal_url(backend, person))
    [invoice] = await backend.invoices(person)
    assert invoice["number"] in page
