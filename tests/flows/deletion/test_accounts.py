"""Deleting an account: refused where it must be, settled at Stripe first, then gone without a trace."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from app.db.tables.access import AuditEventRow
from app.db.tables.deletions import DeletionRow
from app.db.tables.payments import BillingAccountRow, InvoiceRow
from app.db.tables.people import UserRow
from app.db.tables.purchases import CreditPurchaseRow
from app.db.tables.workspaces import HandleHoldRow, PhoneUseRow
from tests.flows.deletion.steps import (
    DELETE_ACCOUNT,
    SEND_CODE,
    VIEWER,
    as_workspace,
    delete_account,
    handle_of,
    mailed_code,
    mailed_invitation,
    new_organization,
)
from tests.support import operations
from tests.support.accounts import KEYS
from tests.support.billing_details import BRUSSELS, updated
from tests.support.client import eventually
from tests.support.digest import settled
from tests.support.leftovers import rows_naming
from tests.support.organizations import mutation
from tests.support.running_backend import Person, RunningBackend

# the SDK tries each request once more by itself
_EACH_TRY = 2

_UPDATE = """mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { userErrors { code } } }"""
_GO_BY = """mutation ($input: ChangeHandleInput!) { changeHandle(input: $input) { userErrors { code } } }"""
_ADD_EMAIL = """mutation ($input: AddEmailInput!) { addEmail(input: $input) { userErrors { code } } }"""


async def _is_there(backend: RunningBackend, person: Person) -> bool:
    async with backend.database.read() as session:
        return await session.scalar(select(func.count()).select_from(UserRow).where(UserRow.id == person.user_id)) == 1


async def _customers(backend: RunningBackend) -> set[str]:
    return {each["id"] for each in await backend.sandbox.listed("/v1/customers")}


async def _customer(backend: RunningBackend, person: Person) -> str:
    async with backend.database.read() as session:
        account = await session.get(BillingAccountRow, person.workspace_id)
    assert account is not None
    assert account.customer_id is not None
    return account.customer_id


async def test_after_deletion_nothing_in_the_database_names_the_person(own_backend: RunningBackend) -> None:
    backend, word = own_backend, uuid4().hex[:12]
    person = await backend.sign_up(address=f"{word}-mail@example.com", with_phone=True)
    api, token = backend.api, person.token
    names = {"firstName": f"{word}first", "lastName": f"{word}last", "company": f"{word}works", "bio": f"{word} bio"}
    await api.query(_UPDATE, {"input": names}, token=token)
    await api.query(_GO_BY, {"input": {"handle": f"{word}-old"}}, token=token)
    await api.query(_GO_BY, {"input": {"handle": f"{word}-handle"}}, token=token)
    await api.query(_ADD_EMAIL, {"input": {"address": f"{word}-other@example.com"}}, token=token)
    await backend.add_card(person)
    billed = {
        "name": f"{word} B.V.",
        "email": f"{word}-bills@example.com",
        "address": {**BRUSSELS, "line1": f"{word} 1"},
    }
    await updated(backend, person, **billed, taxIds=[{"type": "eu_vat", "value": "BE0987650987"}])
    assert (await backend.recharge(person))["userErrors"] == []
    inbox = (await api.http.get(f"{api.url}/dev/inbox")).json()
    [number] = {each["to"] for each in inbox if each["channel"] == "sms"}
    assert await rows_naming(backend.database, [word, number, "4242"]) != []
    assert await rows_naming(backend.database, ["BE0987650987"]) != []

    assert await delete_account(backend, person) == []

    assert await rows_naming(backend.database, [word, number, number[1:], "4242", "BE0987650987"]) == []
    assert not await _is_there(backend, person)
    assert (await api.query(VIEWER, token=token))["viewer"] is None


async def test_ids_stay_in_the_audit_log_invoices_are_sealed_and_guards_are_hashes(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await backend.sign_up(with_phone=True)
    handle = await handle_of(backend, person)
    await backend.add_card(person)
    purchase = (await backend.recharge(person))["purchase"]["id"]
    [invoice] = await backend.invoices(person)

    assert await delete_account(backend, person) == []

    async with backend.database.read() as session:
        events = (
            await session.scalars(select(AuditEventRow).where(AuditEventRow.workspace_id == person.workspace_id))
        ).all()
        kept = (await session.scalars(select(InvoiceRow).where(InvoiceRow.workspace_id == person.workspace_id))).all()
        bought = (
            await session.scalars(
                select(CreditPurchaseRow).where(CreditPurchaseRow.workspace_id == person.workspace_id)
            )
        ).all()
        uses = await session.scalar(
            select(func.count()).select_from(PhoneUseRow).where(PhoneUseRow.workspace_id == person.workspace_id)
        )
        hold = await session.get(HandleHoldRow, KEYS.abuse_key.hash(handle.lower()))
    assert "account.deleted" in {event.action for event in events}
    assert {event.actor_user_id for event in events} <= {person.user_id, None}
    assert [event.detail for event in events if event.detail is not None] == []
    assert [row.number for row in kept] == [invoice["number"]]
    assert len(bought) == uses == 1
    # a client's words, which may name anybody
    assert [row.idempotency_key for row in bought] == [None]
    assert hold is not None
    # sealed: no one reaches what is kept through the API
    other = await backend.sign_up()
    for node in (invoice["id"], purchase, person.workspace):
        found = await backend.api.query("query ($id: ID!) { node(id: $id) { id } }", {"id": node}, token=other.token)
        assert found["node"] is None


async def test_the_customer_is_deleted_at_stripe_first(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.add_card(person)
    customer = await _customer(backend, person)

    assert await delete_account(backend, person) == []

    assert customer not in await _customers(backend)


@pytest.mark.parametrize("fault", ["error_500", "drop_before"])
async def test_an_outage_at_stripe_stops_the_deletion_and_loses_nothing(
    own_backend: RunningBackend, fault: str
) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.add_card(person)
    # the worker's own looks at the new card must not meet the outage first
    await settled(backend.database)
    await backend.sandbox.fail(fault, "/v1/customers/.*", method="GET", times=_EACH_TRY)

    assert [error["code"] for error in await delete_account(backend, person)] == ["PAYMENT_UNAVAILABLE"]

    assert await _is_there(backend, person)
    assert await _customer(backend, person) in await _customers(backend)
    # everything goes on as before
    assert (await backend.recharge(person))["userErrors"] == []
    async with backend.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(DeletionRow)) == 0
    assert await delete_account(backend, person) == []


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
async def test_a_deletion_that_stripe_did_not_answer_goes_on_by_itself(own_backend: RunningBackend, fault: str) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.add_card(person)
    customer = await _customer(backend, person)
    await backend.sandbox.fail(fault, "/v1/customers/.*", method="DELETE", times=_EACH_TRY)

    [error] = await delete_account(backend, person)

    assert error["code"] == "PAYMENT_UNAVAILABLE"
    assert "goes on by itself" in error["message"]
    assert await _is_there(backend, person)
    assert (await backend.recharge(person))["userErrors"][0]["code"] == "CONFLICT"
    # asked for again, or taken up by the worker: it is done once
    assert await delete_account(backend, person) == []
    assert not await _is_there(backend, person)
    assert customer not in await _customers(backend)


async def _cut_short(backend: RunningBackend) -> Person:
    """Someone whose deletion can't be stopped any more, and is not done: Stripe fails at deleting the customer."""
    person = await backend.sign_up()
    await backend.add_card(person)
    await backend.sandbox.fail("error_500", "/v1/customers/.*", method="DELETE", times=_EACH_TRY)
    [error] = await delete_account(backend, person)
    assert "goes on by itself" in error["message"]
    return person


async def test_who_is_being_deleted_joins_and_makes_no_organization(own_backend: RunningBackend) -> None:
    backend = own_backend
    owner, handle = await backend.sign_up(), f"joined-{uuid4().hex[:10]}"
    organization = await new_organization(backend, handle, owner=owner)
    person = await _cut_short(backend)
    given = {"workspaceId": as_workspace(organization), "emailAddress": person.address, "role": "MEMBER"}
    await backend.api.query(mutation("inviteMember"), {"input": given}, token=owner.token)
    token = await mailed_invitation(backend, person)

    accepting = {"input": {"token": token, "idempotencyKey": uuid4().hex}}
    accepted = await backend.api.query(mutation("acceptInvitation"), accepting, token=person.token)
    made = await backend.api.query(mutation("createOrganization"), {"input": {"name": "Acme"}}, token=person.token)

    assert [error["code"] for error in accepted["acceptInvitation"]["userErrors"]] == ["CONFLICT"]
    assert [error["code"] for error in made["createOrganization"]["userErrors"]] == ["CONFLICT"]
    assert await delete_account(backend, person) == []
    assert not await _is_there(backend, person)
    mine = (await backend.api.query(VIEWER, token=owner.token))["viewer"]["workspaces"]
    assert as_workspace(organization) in {workspace["id"] for workspace in mine}


async def test_nothing_is_erased_that_others_belong_to_whenever_they_came(own_backend: RunningBackend) -> None:
    backend = own_backend
    owner = await backend.sign_up()
    person = await _cut_short(backend)
    # as if they had slipped in past every check
    shared = await new_organization(backend, f"shared-{uuid4().hex[:10]}", owner=owner, member=person)

    assert await delete_account(backend, person) == []

    assert not await _is_there(backend, person)
    mine = (await backend.api.query(VIEWER, token=owner.token))["viewer"]["workspaces"]
    assert as_workspace(shared) in {workspace["id"] for workspace in mine}


async def test_an_open_checkout_is_closed_and_a_payment_that_waits_for_the_bank_made_impossible(
    own_backend: RunningBackend,
) -> None:
    backend = own_backend
    without_card, waiting = await backend.sign_up(), await backend.sign_up()
    await backend.add_card(waiting, "pm_card_authenticationRequired")
    [error] = (await backend.recharge(without_card))["userErrors"]
    assert error["code"] == "PAYMENT_METHOD_REQUIRED"
    assert [each["status"] for each in await backend.sandbox.listed("/v1/checkout/sessions", status="open")] != []
    [error] = (await backend.recharge(waiting))["userErrors"]
    assert error["code"] == "PAYMENT_ACTION_REQUIRED"

    assert await delete_account(backend, without_card) == []
    assert await delete_account(backend, waiting) == []

    sessions = await backend.sandbox.listed("/v1/checkout/sessions")
    assert {each["status"] for each in sessions} == {"expired"}
    assert {each["status"] for each in await backend.sandbox.listed("/v1/invoices")} == {"void"}
    assert await backend.sandbox.listed("/v1/charges") == []


async def test_the_handle_must_be_typed_out_and_the_person_proven(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    handle = await handle_of(backend, person)
    code = await mailed_code(backend, person)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"

    async def refused(**given: object) -> tuple[str, list[str]]:
        answer = await backend.api.query(DELETE_ACCOUNT, {"input": given}, token=person.token)
        [error] = answer["deleteAccount"]["userErrors"]
        return error["code"], error["path"]

    assert await refused(confirmHandle="not-it", code=code) == ("INVALID_INPUT", ["input", "confirmHandle"])
    assert await refused(confirmHandle=handle) == ("REAUTHENTICATION_REQUIRED", ["input", "code"])
    assert await refused(confirmHandle=handle, code=wrong) == ("CODE_WRONG", ["input", "code"])
    assert await refused(confirmHandle=handle, password="x" * 12) == ("REAUTHENTICATION_REQUIRED", ["input", "code"])
    for _ in range(4):
        await refused(confirmHandle=handle, code=wrong)
    # tried five times: even the right one is good for nothing now
    assert await refused(confirmHandle=handle, code=code) == ("CODE_EXPIRED", ["input", "code"])
    assert await _is_there(backend, person)
    assert await delete_account(backend, person) == []


async def test_a_code_is_for_persons_and_one_for_who_has_none_is_another_account(backend: RunningBackend) -> None:
    assert await backend.api.refused(SEND_CODE) == "UNAUTHENTICATED"
    one, other = await backend.sign_up(), await backend.sign_up()
    theirs = await mailed_code(backend, other)
    await mailed_code(backend, one)
    errors = await delete_account(backend, one, code=theirs)
    assert [error["code"] for error in errors] in (["CODE_WRONG"], [])  # one in a million is the same
    assert await _is_there(backend, other)


async def test_the_only_owner_of_an_organization_with_members_stays(backend: RunningBackend) -> None:
    owner, member = await backend.sign_up(), await backend.sign_up()
    handle = f"needs-{uuid4().hex[:10]}"
    await new_organization(backend, handle, owner=owner, member=member)

    [error] = await delete_account(backend, owner)

    assert error["code"] == "LAST_OWNER"
    assert handle in error["message"]
    assert await _is_there(backend, owner)
    assert (await backend.api.query(operations.OWN_ADDRESSES, token=owner.token))["viewer"]["emails"] != []
    # the member may go at any time
    assert await delete_account(backend, member) == []
    # and now nobody needs the owner
    assert await delete_account(backend, owner) == []


async def test_an_organization_with_another_owner_stays_and_one_of_ones_own_goes(backend: RunningBackend) -> None:
    leaving, staying = await backend.sign_up(), await backend.sign_up()
    shared = await new_organization(backend, f"shared-{uuid4().hex[:10]}", owner=leaving, owner_2=staying)
    alone = await new_organization(backend, f"alone-{uuid4().hex[:10]}", owner=leaving)

    assert await delete_account(backend, leaving) == []

    mine = (await backend.api.query(VIEWER, token=staying.token))["viewer"]["workspaces"]
    assert len(mine) == 2
    async with backend.database.read() as session:
        found = await session.scalars(
            select(AuditEventRow.action).where(AuditEventRow.workspace_id.in_([shared, alone]))
        )
        assert sorted(found) == ["account.deleted", "member.left"]


async def test_two_owners_who_delete_their_accounts_at_once_leave_no_organization_without_one(
    backend: RunningBackend,
) -> None:
    one, other, member = await backend.sign_up(), await backend.sign_up(), await backend.sign_up()
    await new_organization(backend, f"racing-{uuid4().hex[:10]}", owner=one, owner_2=other, member=member)
    proofs = [{"code": await mailed_code(backend, person)} for person in (one, other)]

    outcomes = await asyncio.gather(
        *(delete_account(backend, person, **proof) for person, proof in zip((one, other), proofs, strict=True))
    )

    codes = sorted([error["code"] for error in errors] for errors in outcomes)
    assert codes == [[], ["LAST_OWNER"]]
    assert len((await backend.api.query(VIEWER, token=member.token))["viewer"]["workspaces"]) == 2


async def test_deleting_twice_at_once_deletes_once(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.add_card(person)
    given = {"confirmHandle": await handle_of(backend, person), "code": await mailed_code(backend, person)}

    answers = await asyncio.gather(
        *(backend.api.send(DELETE_ACCOUNT, {"input": given}, token=person.token) for _ in range(4))
    )

    assert all(answer.status_code < 500 for answer in answers)
    assert not await _is_there(backend, person)
    async with backend.database.read() as session:
        events = await session.scalar(
            select(func.count()).select_from(AuditEventRow).where(AuditEventRow.action == "account.deleted")
        )
    assert events == 1


async def test_a_balance_that_is_watched_ends_with_the_account(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await backend.sign_up()
    async with backend.api.socket(person.token) as socket:
        await socket.subscribe(operations.WATCH_BALANCE, {"id": person.workspace})
        assert await delete_account(backend, person) == []

        async def ended() -> bool:
            async with backend.database.read() as session:
                return await session.get(UserRow, person.user_id) is None

        assert await eventually(ended)
    assert await backend.api.refused(operations.BALANCE, {"id": person.workspace}, token=person.token) == (
        "UNAUTHENTICATED"
    )
