"""Reverse charge: who accounts for the tax themselves, and what they are billed."""

from __future__ import annotations

import pytest

from app.billing.payments.details_sync import tax_in_words
from tests.support.billing_details import (
    AMSTERDAM,
    BELGIAN,
    BRUSSELS,
    act_in_portal,
    amounts,
    exemption_becomes,
    portal_url,
    reverse_charged,
    stripe_customer,
    stripe_tax_ids,
    tax_office_says,
    updated,
)
from tests.support.client import eventually
from tests.support.previews import preview
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import change_plan, codes, customer_of, open_page, pay_page, subscribe

# Starter for 5.00 EUR, 21 % of tax within; the subtotal is the sum of the prices
_TAXED = ("5.00", "0.87", "5.00")
_UNTAXED = ("5.00", "0.00", "4.13")


async def _billed(backend: RunningBackend, person: Person) -> tuple[str, str, str]:
    """What a pack of 5.00 EUR is billed as now."""
    bought = await backend.recharge(person)
    assert bought["userErrors"] == []
    return amounts(bought["invoice"])


async def _is_taxed(backend: RunningBackend, person: Person) -> bool:
    await backend.add_card(person)
    return await _billed(backend, person) == _TAXED and (await stripe_customer(backend, person))["tax_exempt"] == "none"


async def _with(backend: RunningBackend, tax_id: dict[str, str], address: dict[str, str], status: str) -> Person:
    person = await backend.sign_up()
    await updated(backend, person, address=address, taxIds=[tax_id])
    await tax_office_says(backend, person, status)
    return person


async def test_a_verified_vat_id_of_another_country_takes_the_tax_out_of_the_price(backend: RunningBackend) -> None:
    person = await reverse_charged(backend)
    await backend.add_card(person)
    assert await _billed(backend, person) == _UNTAXED
    assert [charge["amount"] for charge in await backend.charges(person)] == [413]


async def test_until_a_vat_id_is_verified_tax_is_charged(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    found = await updated(backend, person, address=BRUSSELS, taxIds=[BELGIAN])
    assert [tax_id["status"] for tax_id in found["taxIds"]] == ["PENDING"]
    assert await _is_taxed(backend, person)


@pytest.mark.parametrize("status", ["unverified", "unavailable", "pending"])
async def test_a_vat_id_that_fails_verification_later_is_taxed_from_then_on(
    backend: RunningBackend, status: str
) -> None:
    person = await reverse_charged(backend)
    await backend.add_card(person)
    assert await _billed(backend, person) == _UNTAXED
    await tax_office_says(backend, person, status)
    await exemption_becomes(backend, person, "none")
    assert await _billed(backend, person) == _TAXED


async def test_a_vat_id_of_the_sellers_own_country_is_taxed(backend: RunningBackend) -> None:
    dutch = {"type": "eu_vat", "value": "NL123456789B01"}
    assert await _is_taxed(backend, await _with(backend, dutch, AMSTERDAM, "verified"))


async def test_a_vat_id_of_another_country_than_the_address_is_taxed(backend: RunningBackend) -> None:
    german = {"type": "eu_vat", "value": "DE123456789"}
    assert await _is_taxed(backend, await _with(backend, german, BRUSSELS, "verified"))


async def test_a_foreign_vat_id_with_an_address_at_the_sellers_is_taxed(backend: RunningBackend) -> None:
    assert await _is_taxed(backend, await _with(backend, BELGIAN, AMSTERDAM, "verified"))


async def test_a_tax_id_from_outside_the_european_union_is_taxed(backend: RunningBackend) -> None:
    british = {"type": "gb_vat", "value": "GB123456789"}
    assert await _is_taxed(backend, await _with(backend, british, {**BRUSSELS, "country": "GB"}, "verified"))


async def test_a_vat_id_of_northern_ireland_is_taxed(backend: RunningBackend) -> None:
    northern = {"type": "eu_vat", "value": "XI123456789"}
    assert await _is_taxed(backend, await _with(backend, northern, {**BRUSSELS, "country": "GB"}, "verified"))


async def test_a_greek_vat_id_is_of_greece_though_it_begins_otherwise(backend: RunningBackend) -> None:
    greek = {"type": "eu_vat", "value": "EL123456789"}
    person = await _with(backend, greek, {**BRUSSELS, "country": "GR"}, "verified")
    await exemption_becomes(backend, person, "reverse")


async def test_a_vat_id_without_an_address_is_taxed(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, taxIds=[BELGIAN])
    await tax_office_says(backend, person, "verified")
    assert await _is_taxed(backend, person)


async def test_when_the_address_moves_to_another_country_the_next_purchase_is_taxed(backend: RunningBackend) -> None:
    person = await reverse_charged(backend)
    await backend.add_card(person)
    await updated(backend, person, address={**AMSTERDAM, "country": "DE"})
    assert await _billed(backend, person) == _TAXED
    await updated(backend, person, address=BRUSSELS)
    assert await _billed(backend, person) == _UNTAXED


async def test_when_the_address_moves_in_the_portal_tax_is_charged(backend: RunningBackend) -> None:
    person = await reverse_charged(backend)
    url = await portal_url(backend, person)
    assert await act_in_portal(backend, url, "update_details", line1="Rue 1", city="Paris", country="FR") == 303
    await exemption_becomes(backend, person, "none")
    assert await _is_taxed(backend, person)


async def test_when_the_vat_id_is_removed_in_the_portal_tax_is_charged(backend: RunningBackend) -> None:
    person = await reverse_charged(backend)
    [tax_id] = await stripe_tax_ids(backend, person)
    url = await portal_url(backend, person)
    assert await act_in_portal(backend, url, "remove_tax_id", tax_id=tax_id["id"]) == 303
    await exemption_becomes(backend, person, "none")
    assert await _is_taxed(backend, person)


async def test_when_the_vat_id_is_removed_here_the_next_purchase_is_taxed(backend: RunningBackend) -> None:
    person = await reverse_charged(backend)
    await updated(backend, person, taxIds=[])
    assert await stripe_tax_ids(backend, person) == []
    assert await _is_taxed(backend, person)


async def test_a_verification_whose_event_never_comes_is_found_by_looking(own_backend: RunningBackend) -> None:
    person = await own_backend.sign_up()
    await updated(own_backend, person, address=BRUSSELS, taxIds=[BELGIAN])
    await own_backend.sandbox.deliver("drop")
    [tax_id] = await stripe_tax_ids(own_backend, person)
    await own_backend.sandbox.verify_tax_id(tax_id["id"], "verified")
    await own_backend.advance("PT20M")
    await exemption_becomes(own_backend, person, "reverse")


@pytest.mark.parametrize("exemption", ["exempt", "reverse"])
async def test_an_exemption_set_by_hand_is_kept_whatever_changes_here(backend: RunningBackend, exemption: str) -> None:
    person = await backend.sign_up()
    await updated(backend, person, address=AMSTERDAM, taxIds=[{"type": "eu_vat", "value": "NL123456789B01"}])
    await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, person)}", tax_exempt=exemption)
    await tax_office_says(backend, person, "verified")
    await updated(backend, person, address=BRUSSELS)
    await updated(backend, person, name="Example", taxIds=[])
    await backend.add_card(person)
    assert await _billed(backend, person) == _UNTAXED
    assert (await stripe_customer(backend, person))["tax_exempt"] == exemption


async def test_an_exemption_set_by_hand_is_told_in_the_audit_log(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, taxIds=[BELGIAN])
    await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, person)}", tax_exempt="exempt")

    async def is_told() -> bool:
        document = "query ($id: ID!) { workspace(id: $id) { auditLog { nodes { action } } } }"
        data = await backend.api.query(document, {"id": person.workspace}, token=person.token)
        return "tax.exemption_set_by_hand" in [each["action"] for each in data["workspace"]["auditLog"]["nodes"]]

    await eventually(is_told)


async def test_a_reverse_charge_switched_off_by_hand_comes_back(backend: RunningBackend) -> None:
    person = await reverse_charged(backend)
    await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, person)}", tax_exempt="none")
    await exemption_becomes(backend, person, "reverse")


async def test_a_first_plan_is_billed_without_its_tax_and_its_page_asks_for_no_other_country(
    backend: RunningBackend,
) -> None:
    person = await reverse_charged(backend)
    opened = await open_page(backend, person, "team", seats=2)
    assert codes(opened) == []
    # the form sends an address in the seller's country
    assert await pay_page(backend, opened["url"]) == 303

    async def invoice() -> dict[str, object] | None:
        return next(iter(await backend.invoices(person)), None)

    # 2 x 19.00 with 21 % within: 31.40 without
    found = await eventually(invoice)
    assert found is not None
    assert amounts(found) == ("38.00", "0.00", "31.40")
    assert (await stripe_customer(backend, person))["address"]["country"] == "BE"


async def test_a_running_subscription_follows_from_its_next_invoice(own_backend: RunningBackend) -> None:
    backend, person = own_backend, await own_backend.sign_up()
    await subscribe(backend, person, "personal")
    await updated(backend, person, address=BRUSSELS, taxIds=[BELGIAN])
    await tax_office_says(backend, person, "verified")
    await exemption_becomes(backend, person, "reverse")
    await backend.advance("P32D")

    async def billed() -> list[tuple[str, str, str]] | None:
        found = [amounts(invoice) for invoice in await backend.invoices(person) if invoice["status"] == "PAID"]
        return found if len(found) == 2 else None

    # 9.00 with 21 % within: 7.44 without
    assert await eventually(billed) == [("9.00", "0.00", "7.44"), ("9.00", "1.56", "9.00")]


async def test_nothing_is_charged_while_what_decides_about_the_tax_can_not_be_written(
    own_backend: RunningBackend,
) -> None:
    backend, person = own_backend, await reverse_charged(own_backend)
    await backend.add_card(person)
    await backend.sandbox.fail("error_500", r"/v1/customers/[^/]+$", times=50)
    await updated(backend, person, address=AMSTERDAM)
    assert codes(await backend.recharge(person)) == ["PAYMENT_UNAVAILABLE"]
    assert await backend.charges(person) == []


async def test_the_worker_writes_what_could_not_be_written_at_once(own_backend: RunningBackend) -> None:
    backend, person = own_backend, await reverse_charged(own_backend)
    await backend.sandbox.fail("error_500", r"/v1/customers/[^/]+/tax_ids$", method="GET", times=3)
    await updated(backend, person, taxIds=[])
    await exemption_becomes(backend, person, "none")
    assert await stripe_tax_ids(backend, person) == []


async def test_what_a_preview_shows_without_tax_is_charged_without_tax(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "team", seats=2)
    await updated(backend, person, address=BRUSSELS, taxIds=[BELGIAN])
    await tax_office_says(backend, person, "verified")
    await exemption_becomes(backend, person, "reverse")
    shown = await preview(backend, person, planCode="team", interval="MONTH", seats=4)
    changed = await change_plan(backend, person, "team", seats=4, quote=shown["quote"])
    assert codes(changed) == []
    newest, *_ = await backend.charges(person)
    assert newest["amount"] == round(float(shown["dueNow"]["amount"]) * 100)
    assert float(shown["tax"]["amount"]) <= 0


async def test_an_operator_is_told_how_somebody_is_taxed_and_why(backend: RunningBackend) -> None:
    taxed, reverse = await backend.sign_up(), await reverse_charged(backend)
    tax = backend.parts.runtime.catalog.tax

    async def told(person: Person) -> str:
        async with backend.database.read() as session:
            return await tax_in_words(session, tax, person.workspace_id)

    assert await told(taxed) == "Tax is charged."
    assert await told(reverse) == "Reverse charge, by a verified VAT id of BE."
    await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, reverse)}", tax_exempt="exempt")

    async def is_told() -> bool:
        return "somebody set exempt" in await told(reverse)

    await eventually(is_told)
