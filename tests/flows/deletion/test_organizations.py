"""Deleting an organization, and deletions that a crash cut short."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from app.accounts.access.permissions import ApiScope
from app.billing.payments import workspace_closing
from app.db.engine import Session, no_faults
from app.db.tables.deletions import DeletionRow
from app.db.tables.ledger import LedgerTransactionRow
from app.db.tables.people import UserRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.metering.ingest import record_usage
from app.metering.usage_events import UsageEvent
from tests.flows.deletion.steps import (
    DELETE_ACCOUNT,
    DELETE_WORKSPACE,
    VIEWER,
    as_workspace,
    handle_of,
    mailed_code,
    new_organization,
)
from tests.ledger.workspace import proof
from tests.support.accounts import new_address
from tests.support.client import eventually
from tests.support.digest import settled
from tests.support.leftovers import rows_naming
from tests.support.operations import DEDUCT
from tests.support.running_backend import Person, RunningBackend

_INVITE = "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { userErrors { code } } }"
_INVITED = "query ($id: ID!) { workspace(id: $id) { invitations { emailAddress } } }"
_HOLD = "mutation ($input: HoldCreditsInput!) { holdCredits(input: $input) { userErrors { code } } }"
_ACCEPT = "mutation ($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { userErrors { code } } }"


async def _delete(backend: RunningBackend, person: Person, workspace: str, handle: str) -> list[str]:
    given = {"workspaceId": workspace, "confirmHandle": handle}
    answer = await backend.api.query(DELETE_WORKSPACE, {"input": given}, token=person.token)
    return [error["code"] for error in answer["deleteWorkspace"]["userErrors"]]


async def test_an_organization_is_erased_and_its_people_stay(own_backend: RunningBackend) -> None:
    backend, word = own_backend, uuid4().hex[:12]
    owner, member = await backend.sign_up(), await backend.sign_up()
    organization = await new_organization(backend, word, owner=owner, member=member)

    assert await _delete(backend, owner, as_workspace(organization), word) == []

    assert await rows_naming(backend.database, [word]) == []
    for person in (owner, member):
        assert len((await backend.api.query(VIEWER, token=person.token))["viewer"]["workspaces"]) == 1


async def test_the_names_of_subjects_go_with_their_workspace_and_the_books_keep_bare_ids(
    own_backend: RunningBackend,
) -> None:
    backend, word, subject = own_backend, uuid4().hex[:12], f"agent-{uuid4().hex[:12]}"
    owner = await backend.sign_up()
    organization = await new_organization(backend, word, owner=owner)
    given = {"workspaceId": as_workspace(organization), "description": "A job", "subject": subject}
    await backend.grant(replace(owner, workspace_id=organization), "10")
    for document, name in ((DEDUCT, "deductCredits"), (_HOLD, "holdCredits")):
        token = await backend.service_key(ApiScope.CREDITS_WRITE)
        used = await backend.api.query(
            document, {"input": {**given, "amount": "1", "idempotencyKey": uuid4().hex}}, token=token
        )
        assert used[name]["userErrors"] == []
    catalog = backend.parts.runtime.catalog
    events = [
        UsageEvent(organization, None, resource, Decimal(200), uuid4().hex, None, subject)
        for resource in ("enrichments", "storage")
    ]
    assert (await record_usage(backend.database, catalog, events)).accepted == 2
    assert await rows_naming(backend.database, [subject]) != []

    assert await _delete(backend, owner, as_workspace(organization), word) == []

    assert await rows_naming(backend.database, [subject, word]) == []
    async with backend.database.read() as session:
        moved = await session.scalars(
            select(LedgerTransactionRow.subject_id)
            .where(LedgerTransactionRow.workspace_id == organization)
            .order_by(LedgerTransactionRow.sequence)
        )
        none, *named = moved.all()
    report = await proof(backend.database)
    assert none is None
    assert len(set(named[:2])) == 1
    assert report.is_sound, str(report.fault)


async def test_only_owners_delete_an_organization_and_only_by_its_handle(backend: RunningBackend) -> None:
    handle = f"kept-{uuid4().hex[:10]}"
    owner, admin, member, stranger = [await backend.sign_up() for _ in range(4)]
    organization = await new_organization(backend, handle, owner=owner, admin=admin, member=member)
    given = {"input": {"workspaceId": as_workspace(organization), "confirmHandle": handle}}

    refusals = [
        await backend.api.refused(DELETE_WORKSPACE, given, token=person.token) for person in (admin, member, stranger)
    ]
    assert refusals == ["FORBIDDEN", "FORBIDDEN", "NOT_FOUND"]
    assert await backend.api.refused(DELETE_WORKSPACE, given) == "UNAUTHENTICATED"
    assert await _delete(backend, owner, as_workspace(organization), "something-else") == ["INVALID_INPUT"]
    async with backend.database.read() as session:
        kept = await session.get(WorkspaceRow, organization)
    assert kept is not None


async def test_a_personal_workspace_goes_only_with_its_account(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    handle = await handle_of(backend, person)
    assert await _delete(backend, person, person.workspace, handle) == ["INVALID_INPUT"]
    assert (await backend.api.query(VIEWER, token=person.token))["viewer"] is not None


@pytest.mark.parametrize(
    "point", ["deletion.begin:after-commit", "deletion.settle:after-commit", "deletion.erase:before-commit"]
)
async def test_a_deletion_cut_short_is_gone_on_with_by_the_worker(own_backend: RunningBackend, point: str) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.add_card(person)
    given = {"confirmHandle": await handle_of(backend, person), "code": await mailed_code(backend, person)}

    def crash(passed: str) -> None:
        if passed == point:
            raise RuntimeError("cut short")

    backend.database.fault = crash
    answer = (await backend.api.send(DELETE_ACCOUNT, {"input": given}, token=person.token)).json()
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    backend.database.fault = no_faults

    async def overdue(session: Session) -> None:
        await session.execute(update(DeletionRow).values(next_check_at=session.real_now - timedelta(seconds=1)))

    await transact(backend.database, overdue)

    async def is_gone() -> bool:
        async with backend.database.read() as session:
            under_way = await session.scalar(select(func.count()).select_from(DeletionRow))
            return await session.get(UserRow, person.user_id) is None and under_way == 0

    assert await eventually(is_gone)
    assert await backend.sandbox.listed("/v1/customers") == []


async def test_a_deletion_that_an_outage_stopped_leaves_invitations_as_they_were(own_backend: RunningBackend) -> None:
    backend = own_backend
    owner, handle = await backend.sign_up(), f"invites-{uuid4().hex[:10]}"
    organization = await new_organization(backend, handle, owner=owner)
    await backend.add_card(replace(owner, workspace_id=organization))
    given = {"workspaceId": as_workspace(organization), "emailAddress": new_address()}
    await backend.api.query(_INVITE, {"input": given}, token=owner.token)
    await settled(backend.database)
    await backend.sandbox.fail("error_500", "/v1/customers/.*", method="GET", times=2)

    assert await _delete(backend, owner, as_workspace(organization), handle) == ["PAYMENT_UNAVAILABLE"]

    read = await backend.api.query(_INVITED, {"id": as_workspace(organization)}, token=owner.token)
    assert [each["emailAddress"] for each in read["workspace"]["invitations"]] == [given["emailAddress"]]


async def test_nobody_joins_an_organization_that_is_being_deleted(own_backend: RunningBackend) -> None:
    backend = own_backend
    owner, invitee, handle = await backend.sign_up(), await backend.sign_up(), f"closing-{uuid4().hex[:10]}"
    organization = await new_organization(backend, handle, owner=owner)
    given = {"workspaceId": as_workspace(organization), "emailAddress": invitee.address}
    await backend.api.query(_INVITE, {"input": given}, token=owner.token)

    async def mailed() -> list[str]:
        inbox = (await backend.api.http.get(f"{backend.api.url}/dev/inbox")).json()
        return [link for each in inbox if each["to"] == invitee.address for link in each["links"]]

    token = (await eventually(mailed))[0].partition("?token=")[2]
    await transact(backend.database, lambda session: workspace_closing.close(session, organization))
    accepting = {"input": {"token": token, "idempotencyKey": uuid4().hex}}
    answer = await backend.api.query(_ACCEPT, accepting, token=invitee.token)

    assert [error["code"] for error in answer["acceptInvitation"]["userErrors"]] == ["CONFLICT"]
    assert len((await backend.api.query(VIEWER, token=invitee.token))["viewer"]["workspaces"]) == 1


async def test_of_two_calls_one_of_which_meets_an_outage_neither_tells_an_untruth(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.add_card(person)
    await settled(backend.database)
    handle, code = await handle_of(backend, person), await mailed_code(backend, person)
    await backend.sandbox.fail("error_500", "/v1/customers/.*", method="GET", times=2)

    answers = await asyncio.gather(
        *(
            backend.api.send(DELETE_ACCOUNT, {"input": {"confirmHandle": handle, "code": code}}, token=person.token)
            for _ in range(2)
        )
    )

    told = [answer.json() for answer in answers]
    succeeded = [each for each in told if each.get("data") and each["data"]["deleteAccount"]["userErrors"] == []]
    async with backend.database.read() as session:
        is_there = await session.get(UserRow, person.user_id) is not None
        under_way = await session.scalar(select(func.count()).select_from(DeletionRow))
    # who was told of success is gone, and who is still there may buy again
    assert not (succeeded and is_there)
    if is_there and not under_way:
        assert await backend.sandbox.listed("/v1/customers") != []
        assert (await backend.recharge(person))["userErrors"] == []
