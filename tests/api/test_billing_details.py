"""Billing details: whom invoices are made out to, as said here and as changed at the provider."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.billing_details import (
    AMSTERDAM,
    BELGIAN,
    BRUSSELS,
    act_in_portal,
    details,
    portal_url,
    stripe_customer,
    stripe_tax_ids,
    tax_office_says,
    update,
    updated,
)
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import customer_of, subscribe

_NOTHING: dict[str, Any] = {"name": None, "email": None, "address": None, "taxIds": []}
_FULL_ADDRESS = dict.fromkeys(("line1", "line2", "city", "state", "postalCode", "country"))


async def _becomes(backend: RunningBackend, person: Person, **expected: object) -> None:
    async def is_so() -> bool:
        found = await details(backend, person)
        return {name: found[name] for name in expected} == expected

    await eventually(is_so)


def _refused(payload: dict[str, Any]) -> tuple[str, list[str]]:
    assert payload["workspace"] is None
    [error] = payload["userErrors"]
    return error["code"], error["path"]


async def test_without_any_there_is_nothing(backend: RunningBackend) -> None:
    assert await details(backend, await backend.sign_up()) == _NOTHING


async def test_what_is_given_is_shown_and_absent_fields_stay(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, name="Example B.V.", email="bills@example.com", address=BRUSSELS)
    found = await updated(backend, person, address={"line2": "c/o Ada"})
    assert found == {
        "name": "Example B.V.",
        "email": "bills@example.com",
        "address": {**_FULL_ADDRESS, **BRUSSELS, "line2": "c/o Ada"},
        "taxIds": [],
    }


async def test_null_clears(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, name="Example", email="bills@example.com", address=BRUSSELS, taxIds=[BELGIAN])
    assert await updated(backend, person, name=None, email=None, address=None, taxIds=None) == _NOTHING
    assert await stripe_tax_ids(backend, person) == []
    assert (await stripe_customer(backend, person))["address"] is None


async def test_they_take_precedence_at_stripe_and_cleared_ones_fall_back(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    before = await stripe_customer(backend, person)
    await updated(backend, person, name="Example B.V.", email="bills@example.com")

    async def carries(name: str, email: str) -> None:
        async def is_so() -> bool:
            found = await stripe_customer(backend, person)
            return (found["name"], found["email"]) == (name, email)

        await eventually(is_so)

    await carries("Example B.V.", "bills@example.com")
    await updated(backend, person, name=None, email=None)
    await carries(before["name"], before["email"])
    assert before["email"] == person.address


async def test_those_given_before_there_is_a_customer_are_on_the_first_invoice(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, name="Example B.V.", email="bills@example.com", address=AMSTERDAM)
    await backend.add_card(person)
    await backend.recharge(person)
    [invoice] = await backend.stripe_invoices(person)
    assert (invoice["customer_name"], invoice["customer_email"]) == ("Example B.V.", "bills@example.com")
    assert invoice["customer_address"]["postal_code"] == "1012 LG"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"email": "no at sign"}, ["email"]),
        ({"name": "x" * 257}, ["name"]),
        ({"name": "two\nlines"}, ["name"]),
        ({"address": {"country": "Netherlands"}}, ["address", "country"]),
        ({"address": {"country": "XX"}}, ["address", "country"]),
        ({"address": {"country": None}}, ["address", "country"]),
        ({"address": {"postalCode": "1" * 201, "country": "NL"}}, ["address", "postalCode"]),
        ({"taxIds": [{"type": "eu_tax", "value": "1"}]}, ["taxIds", "0", "type"]),
        ({"taxIds": [BELGIAN, {"type": "eu_vat", "value": " "}]}, ["taxIds", "1", "value"]),
        ({"taxIds": [BELGIAN, {"type": "eu_vat", "value": "be 0123.456.789"}]}, ["taxIds", "1", "value"]),
        ({"taxIds": [{"type": "ch_uid", "value": f"CHE{n}"} for n in range(6)]}, ["taxIds"]),
        ({"taxIds": [BELGIAN, {"type": "eu_vat", "value": "QQ123"}]}, ["taxIds", "1", "value"]),
    ],
)
async def test_what_can_not_be_right_is_refused_by_its_path_and_nothing_is_changed(
    backend: RunningBackend, change: dict[str, object], path: list[str]
) -> None:
    person = await backend.sign_up()
    await updated(backend, person, name="Example", address=BRUSSELS)
    before = await details(backend, person)
    refused = await update(backend, person, **{"name": "Another", **change})
    assert _refused(refused) == ("INVALID_INPUT", ["input", *path])
    assert await details(backend, person) == before


async def test_a_tax_id_that_stripe_refuses_is_told_in_its_words_and_leaves_nothing_there(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    refused = await update(backend, person, address=BRUSSELS, taxIds=[BELGIAN, {"type": "eu_vat", "value": "QQ123"}])
    assert refused["userErrors"][0]["message"] == "Invalid value for eu_vat."
    assert await details(backend, person) == _NOTHING
    assert await stripe_tax_ids(backend, person) == []


async def test_tax_ids_that_stay_are_not_made_again(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    swiss = {"type": "ch_uid", "value": "CHE-123.456.789"}
    await updated(backend, person, taxIds=[BELGIAN, swiss])
    [_, before] = await stripe_tax_ids(backend, person)
    found = await updated(backend, person, taxIds=[{"type": "eu_vat", "value": "be 0123 456 789"}])
    assert [tax_id["value"] for tax_id in found["taxIds"]] == ["BE0123456789"]
    assert [tax_id["id"] for tax_id in await stripe_tax_ids(backend, person)] == [before["id"]]


async def test_a_tax_id_that_was_deleted_can_be_given_again(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    for _ in range(3):
        await updated(backend, person, taxIds=[BELGIAN])
        [made] = await stripe_tax_ids(backend, person)
        assert made["value"] == "BE0123456789"
        await updated(backend, person, taxIds=[])
        assert await stripe_tax_ids(backend, person) == []


async def test_many_changes_at_once_leave_what_the_last_one_said_here_and_there(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, taxIds=[BELGIAN])
    changes = [
        update(
            backend,
            person,
            address={**BRUSSELS, "line1": f"Straat {n}"},
            taxIds=[{"type": "ch_uid", "value": f"CHE{n}"}],
        )
        for n in range(6)
    ]
    assert [each["userErrors"] for each in await asyncio.gather(*changes)] == [[]] * 6

    async def is_same() -> bool:
        here, there = await details(backend, person), await stripe_customer(backend, person)
        values = [each["value"] for each in await stripe_tax_ids(backend, person)]
        address = here["address"]["line1"] == there["address"]["line1"]
        return address and values == [each["value"] for each in here["taxIds"]]

    await eventually(is_same)


async def test_an_address_and_a_tax_id_given_in_the_portal_are_shown(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, address=BRUSSELS)
    url = await portal_url(backend, person)
    await act_in_portal(backend, url, "update_details", line1="Rue 1", postal_code="75001", city="Paris", country="FR")
    address = {**_FULL_ADDRESS, "line1": "Rue 1", "postalCode": "75001", "city": "Paris", "country": "FR"}
    await _becomes(backend, person, address=address)
    await act_in_portal(backend, url, "add_tax_id", tax_id_type="eu_vat", tax_id_value="FR12345678901")
    tax_id = {"type": "eu_vat", "value": "FR12345678901", "status": "PENDING"}
    await _becomes(backend, person, taxIds=[tax_id])
    await tax_office_says(backend, person, "verified")
    await _becomes(backend, person, taxIds=[{**tax_id, "status": "VERIFIED"}])
    [made] = await stripe_tax_ids(backend, person)
    await act_in_portal(backend, url, "remove_tax_id", tax_id=made["id"])
    await _becomes(backend, person, taxIds=[], address=address)


async def test_an_address_given_on_a_checkout_page_is_shown(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribe(backend, person, "personal")
    await _becomes(backend, person, address={**_FULL_ADDRESS, **AMSTERDAM})


async def test_a_name_changed_in_the_dashboard_is_written_back_and_an_address_stays(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, name="Example B.V.", address=BRUSSELS, taxIds=[BELGIAN])
    await backend.sandbox.post(
        f"/v1/customers/{await customer_of(backend, person)}",
        **{"name": "Another", "address[line1]": "Elsewhere 2", "address[country]": "BE"},
    )
    await _becomes(backend, person, address={**_FULL_ADDRESS, "line1": "Elsewhere 2", "country": "BE"})

    async def is_back() -> bool:
        found = await stripe_customer(backend, person)
        return (found["name"], found["address"]["line1"]) == ("Example B.V.", "Elsewhere 2")

    await eventually(is_back)


async def test_a_new_customer_gets_everything_once_the_old_one_was_deleted_at_stripe(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, name="Example B.V.", address=BRUSSELS, taxIds=[BELGIAN])
    former = await customer_of(backend, person)
    await backend.sandbox.delete(f"/v1/customers/{former}")
    await backend.add_card(person)
    there = await stripe_customer(backend, person)
    assert there["id"] != former
    assert (there["name"], there["address"]["city"]) == ("Example B.V.", "Brussel")
    assert [each["value"] for each in await stripe_tax_ids(backend, person)] == ["BE0123456789"]


async def test_the_audit_log_tells_who_changed_what_without_names_and_numbers(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await updated(backend, person, name="Secret Ltd", email="bills@example.com", address=BRUSSELS, taxIds=[BELGIAN])
    document = "query ($id: ID!) { workspace(id: $id) { auditLog { nodes { actor action detail } } } }"
    data = await backend.api.query(document, {"id": person.workspace}, token=person.token)
    events = data["workspace"]["auditLog"]["nodes"]
    [event] = [each for each in events if each["action"] == "billing_details.changed"]
    assert event["actor"] != "system"
    assert '"taxIds"' in event["detail"]
    text = str(events)
    assert not [each for each in ("Secret", "bills@", "Grote Markt", "0123456789") if each in text]
