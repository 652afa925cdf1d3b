"""Invitations that need a seat: who is invited, what they do, and what must be true in the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from app.accounts.security.secrets import token_hash
from app.db.engine import Session
from app.db.tables.workspaces import InvitationRow
from app.db.unit_of_work import transact
from app.ids import parse_global_id, uuid7
from app.store import invitations as invitation_store
from tests.crash.customer import Customer
from tests.crash.steps import codes, provider_reports
from tests.crash.subscription_steps import begins
from tests.support.accounts import new_address, new_person

_KEY: Final = "the one acceptance"
_PLAN: Final = "starter"
_JOINED: Final = 2
_TRY_AGAIN_SECONDS: Final = 0.1
_CREATE: Final = """mutation ($input: CreateOrganizationInput!) {
  createOrganization(input: $input) { workspace { id } userErrors { code } } }"""
_ACCEPT: Final = """mutation ($input: AcceptInvitationInput!) {
  acceptInvitation(input: $input) { workspace { id } userErrors { code } } }"""
_MEMBERS: Final = """query ($id: ID!) { workspace(id: $id) {
  subscription { seats { total used } } members { nodes { role } } } }"""


async def an_organization_with_one_seat(customer: Customer) -> None:
    """The customer's organization, which has subscribed for its owner alone."""
    made = await customer.ask(_CREATE, {"input": {"name": "Acme"}})
    organization_id = parse_global_id(made["createOrganization"]["workspace"]["id"]).id
    assert isinstance(organization_id, UUID)
    customer.person = replace(customer.person, workspace_id=organization_id)
    await begins(customer, _PLAN, 1)


async def somebody_is_invited(customer: Customer) -> None:
    """Somebody with a verified address, and the link that was mailed to them."""
    address, token = new_address(), uuid4().hex
    database = customer.environment.database
    guest = await new_person(database, address=address)

    async def invite(session: Session) -> None:
        row = InvitationRow(
            workspace_id=customer.person.workspace_id,
            id=uuid7(),
            address=address,
            address_key=address.lower(),
            role="MEMBER",
            token_hash=token_hash(token),
            invited_by=customer.person.user_id,
            created_at=session.now,
            expires_at=session.now + timedelta(days=7),
        )
        await invitation_store.add(session, row)

    await transact(database, invite)
    customer.guest = (guest.token, token)


async def accepts(customer: Customer) -> None:
    """They accept, and again while told that the seat is not paid for yet."""
    while True:
        if codes(await _accept(customer)) != ["PAYMENT_PENDING"]:
            return
        await asyncio.sleep(_TRY_AGAIN_SECONDS)


async def accepts_and_waits(customer: Customer) -> None:
    """They accept, and are told that the seat is not paid for yet."""
    assert codes(await _accept(customer)) == ["PAYMENT_PENDING"]


async def _accept(customer: Customer) -> dict[str, Any]:
    assert customer.guest is not None
    guest, token = customer.guest
    given = {"input": {"token": token, "idempotencyKey": _KEY}}
    return (await customer.environment.api.query(_ACCEPT, given, token=guest))["acceptInvitation"]


async def the_owner_confirms(customer: Customer) -> None:
    """The owner tells the bank yes, unless they have already."""
    sandbox = customer.environment.sandbox
    for invoice in await customer.listed("/v1/invoices"):
        if invoice["status"] != "open":
            continue
        [payment] = await sandbox.listed("/v1/invoice_payments", invoice=invoice["id"])
        intent = await sandbox.fetched(f"/v1/payment_intents/{payment['payment']['payment_intent']}")
        await sandbox.answer_the_bank(intent["next_action"]["redirect_to_url"]["url"], "complete")


async def joins_once_it_is_reported(customer: Customer) -> None:
    """The provider reports, and those who waited join by themselves."""
    await provider_reports(customer)
    while True:
        if len(await _members(customer)) == _JOINED:
            return
        await asyncio.sleep(_TRY_AGAIN_SECONDS)


async def _members(customer: Customer) -> list[dict[str, Any]]:
    found = await customer.ask(_MEMBERS, {"id": customer.person.workspace})
    return found["workspace"]["members"]["nodes"]


async def has_joined_on_one_more_seat(customer: Customer, point: str) -> None:
    """They are a member, on the one seat that was bought for them and charged once after the first period was."""
    assert codes(await _accept(customer)) == []
    found = (await customer.ask(_MEMBERS, {"id": customer.person.workspace}))["workspace"]
    assert found["subscription"]["seats"] == {"total": _JOINED, "used": _JOINED}
    assert sorted(each["role"] for each in await _members(customer)) == ["MEMBER", "OWNER"]
    assert len([each for each in await customer.listed("/v1/charges") if each["paid"]]) == 2
    assert await customer.rows("invitation_id", "seat_requests") == []
