"""The free trial as people see it, from the mailed link to a paid plan and past it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.accounts.access.audit_log import OPERATOR
from app.billing.subscriptions import given_plans
from app.db.unit_of_work import transact
from app.ids import parse_global_id
from tests.flows.deletion.steps import delete_account
from tests.support.accounts import PASSWORD, new_address
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscribing import (
    cancel,
    change_plan,
    change_seats,
    codes,
    keep,
    open_page,
    stripe_subscriptions,
    subscribe,
    subscription,
)
from tests.support.subscriptions import choice_of

_SIGN_UP = "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }"
_VERIFY = """mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) {
  token user { id personalWorkspace { id } } userErrors { code } } }"""
_ORGANIZATION = """mutation ($input: CreateOrganizationInput!) {
  createOrganization(input: $input) { workspace { id } userErrors { code } } }"""
_PREVIEW = """query ($input: SubscriptionChangeInput!) { subscriptionChangePreview(input: $input) {
  timing dueNow { amount } recurringPrice { amount } quote userErrors { code message } } }"""


async def _inbox(backend: RunningBackend, to: str, subject: str = "") -> list[dict[str, Any]]:
    messages = (await backend.api.http.get(f"{backend.api.url}/dev/inbox")).json()
    return [each for each in messages if each["to"] == to and subject in each["subject"]]


async def _sign_up_by_link(backend: RunningBackend, address: str) -> Person:
    given = {"input": {"emailAddress": address, "password": PASSWORD}}
    assert (await backend.api.query(_SIGN_UP, given))["signUp"]["userErrors"] == []
    [mail] = await eventually(lambda: _inbox(backend, address, "Confirm"))
    token = str(mail["links"][0]).partition("?token=")[2]
    given = {"input": {"token": token, "issueToken": True}}
    made = (await backend.api.query(_VERIFY, given))["verifyEmail"]
    assert made["userErrors"] == []
    user_id, workspace_id = (
        parse_global_id(each).id for each in (made["user"]["id"], made["user"]["personalWorkspace"]["id"])
    )
    return Person(address, made["token"], user_id, workspace_id)  # pyright: ignore[reportArgumentType]


async def _organization(backend: RunningBackend, person: Person) -> Person:
    """The person, with an organization that they have just made in the place of their workspace."""
    made = await backend.api.query(_ORGANIZATION, {"input": {"name": "Acme"}}, token=person.token)
    assert made["createOrganization"]["userErrors"] == []
    workspace_id = parse_global_id(made["createOrganization"]["workspace"]["id"]).id
    return Person(person.address, person.token, person.user_id, workspace_id)  # pyright: ignore[reportArgumentType]


async def _preview(backend: RunningBackend, person: Person, **wanted: object) -> dict[str, Any]:
    given = {"input": {"workspaceId": person.workspace, **wanted}}
    return (await backend.api.query(_PREVIEW, given, token=person.token))["subscriptionChangePreview"]


def _plan(found: dict[str, Any]) -> tuple[str, str, int]:
    return found["plan"]["code"], found["status"], found["seats"]["total"]


async def test_signing_up_begins_the_trial_also_while_stripe_is_away(own_messaging: RunningBackend) -> None:
    backend = own_messaging
    await asyncio.to_thread(backend.sandbox_process.stop)
    person = await _sign_up_by_link(backend, new_address())
    found = await subscription(backend, person)
    assert _plan(found) == ("business", "TRIALING", 5)
    assert found["addOns"] == [{"addOn": {"code": "phone-numbers"}, "quantity": 1}]
    assert (found["interval"], found["renewsAt"], found["pendingChange"]) == (None, None, None)
    assert (found["cancelAtPeriodEnd"], found["recurringPrice"]) == (False, None)
    ends_in = datetime.fromisoformat(found["trialEndsAt"]) - backend.database.clock.now()
    assert timedelta(days=13, hours=23) < ends_in < timedelta(days=14)
    organization = await _organization(backend, person)
    assert _plan(await subscription(backend, organization)) == ("business", "TRIALING", 5)
    assert _plan(await subscription(backend, person)) == ("inactive", "CANCELED", 1)


async def test_the_trial_ends_by_itself_with_its_mails_and_no_card_makes_it_a_paid_plan(
    own_messaging: RunningBackend,
) -> None:
    backend, person = own_messaging, await own_messaging.sign_up(with_trial=True)
    await backend.add_card(person)
    await backend.advance("P10DT23H")
    assert await _inbox(backend, person.address, "trial") == []
    await backend.advance("PT2H")
    [soon] = await eventually(lambda: _inbox(backend, person.address, "ends soon"))
    assert "nothing is charged" in soon["text"]
    await backend.advance("P3D")
    found = await subscription(backend, person)
    assert _plan(found) == ("inactive", "CANCELED", 1)
    assert found["trialEndsAt"] is None
    await eventually(lambda: _inbox(backend, person.address, "has ended"))
    await backend.advance("P40D")
    assert len(await _inbox(backend, person.address, "trial")) == 2
    assert _plan(await subscription(backend, person)) == ("inactive", "CANCELED", 1)
    assert await backend.charges(person) == []
    assert await stripe_subscriptions(backend, person) == []


async def test_the_first_paid_plan_ends_the_trial_and_after_it_there_is_no_second_one(
    own_messaging: RunningBackend,
) -> None:
    backend, person = own_messaging, await own_messaging.sign_up(with_trial=True)
    shown = await _preview(backend, person, planCode="starter", interval="MONTH", seats=2)
    assert (shown["timing"], shown["userErrors"], shown["quote"]) == ("IMMEDIATE", [], None)
    assert shown["recurringPrice"] == {"amount": "30.00"}
    begun = await subscribe(backend, person, "starter", seats=2)
    assert _plan(begun) == ("starter", "ACTIVE", 2)
    assert (begun["trialEndsAt"], begun["addOns"]) == (None, [])
    assert len(await backend.charges(person)) == 1
    assert codes(await cancel(backend, person)) == []
    await backend.advance("P32D")
    assert _plan(await subscription(backend, person)) == ("inactive", "CANCELED", 1)
    assert await _inbox(backend, person.address, "trial") == []
    organization = await _organization(backend, person)
    assert _plan(await subscription(backend, organization)) == ("inactive", "ACTIVE", 1)


@pytest.mark.catalogs("messaging")
async def test_what_needs_a_paid_plan_says_so_on_a_trial(backend: RunningBackend) -> None:
    person = await backend.sign_up(with_trial=True)
    before = await subscription(backend, person)
    for payload in (
        await change_plan(backend, person, "starter", interval="MONTH"),
        await change_seats(backend, person, 7),
        await cancel(backend, person),
        await keep(backend, person),
    ):
        [error] = payload["userErrors"]
        assert error["code"] == "CONFLICT"
        assert "createCheckout" in error["message"]
    assert codes(await _preview(backend, person, seats=3)) == ["INVALID_INPUT"]
    assert codes(await open_page(backend, person, "enterprise")) == ["NOT_SELF_SERVE"]
    assert await subscription(backend, person) == before


@pytest.mark.catalogs("messaging")
async def test_a_plan_by_contract_is_changed_by_nobody_here(backend: RunningBackend) -> None:
    person = await backend.sign_up(with_trial=True)
    enterprise = choice_of(backend.parts.runtime.catalog, "enterprise", 40, None)
    ends_at = backend.database.clock.now() + timedelta(days=90)

    await transact(
        backend.database,
        lambda session: given_plans.give(
            session, backend.parts.runtime.catalog, person.workspace_id, enterprise, actor=OPERATOR, ends_at=ends_at
        ),
    )
    found = await subscription(backend, person)
    assert _plan(found) == ("enterprise", "ACTIVE", 40)
    assert (found["trialEndsAt"], found["renewsAt"], found["cancelAtPeriodEnd"]) == (None, None, True)
    assert found["pendingChange"]["kind"] == "CANCELLATION"
    assert found["pendingChange"]["plan"] == {"code": "inactive"}
    assert datetime.fromisoformat(found["pendingChange"]["effectiveAt"]) == ends_at
    assert found["seats"]["available"] == 39
    for payload in (
        await open_page(backend, person, "business"),
        await _preview(backend, person, planCode="business", interval="MONTH"),
        await change_plan(backend, person, "starter"),
        await change_seats(backend, person, 7),
        await cancel(backend, person),
        await keep(backend, person),
    ):
        assert codes(payload) == ["NOT_SELF_SERVE"]
    [mail] = await eventually(lambda: _inbox(backend, person.address, "Your plan has changed"))
    assert f"{ends_at:%Y-%m-%d at %H:%M} UTC" in mail["text"]
    assert await subscription(backend, person) == found


@pytest.mark.catalogs("messaging")
async def test_a_plan_that_was_given_without_a_contract_can_be_left_for_a_paid_one(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    gift = choice_of(backend.parts.runtime.catalog, "starter", 3, None)
    await transact(
        backend.database,
        lambda session: given_plans.give(
            session, backend.parts.runtime.catalog, person.workspace_id, gift, actor=OPERATOR
        ),
    )
    assert _plan(await subscribe(backend, person, "business", seats=3)) == ("business", "ACTIVE", 3)


async def test_an_account_on_a_trial_is_deleted_without_asking_stripe(own_messaging: RunningBackend) -> None:
    backend, address = own_messaging, new_address()
    person = await _sign_up_by_link(backend, address)
    await asyncio.to_thread(backend.sandbox_process.stop)
    assert await delete_account(backend, person, password=PASSWORD) == []
    again = await _sign_up_by_link(backend, address)
    assert _plan(await subscription(backend, again)) == ("inactive", "ACTIVE", 1)


@pytest.mark.catalogs("messaging")
async def test_everybody_who_comes_is_told_of_their_trial_in_the_audit_log(backend: RunningBackend) -> None:
    person = await backend.sign_up(with_trial=True)
    query = "query ($id: ID!) { workspace(id: $id) { auditLog(first: 10) { nodes { action } } } }"
    data = await backend.api.query(query, {"id": person.workspace}, token=person.token)
    assert "trial.started" in [each["action"] for each in data["workspace"]["auditLog"]["nodes"]]
