"""Deletions that meet each other, and what others do meanwhile: what one of them takes stays closed, whoever else gives up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from app.db.engine import Session
from app.db.tables.access import AuditEventRow
from app.db.tables.deletions import DeletionRow
from app.db.tables.payments import BillingAccountRow
from app.db.tables.people import UserRow
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.flows.deletion import deletions
from app.flows.flow_context import FlowContext
from app.ids import uuid7
from app.payments.gateway_errors import GatewayUnavailable
from app.payments.gateway_values import Wallet
from tests.flows.deletion.steps import DELETE_WORKSPACE, as_workspace, delete_account, new_organization
from tests.support.client import eventually
from tests.support.digest import settled
from tests.support.organizations import mutation
from tests.support.running_backend import Person, RunningBackend
from tests.support.subscriptions import choice_of, subscribe

# the SDK tries each request once more by itself
_EACH_TRY = 2


async def _customer(backend: RunningBackend, workspace_id: UUID) -> str:
    async with backend.database.read() as session:
        account = await session.get(BillingAccountRow, workspace_id)
    assert account is not None
    assert account.customer_id is not None
    return account.customer_id


async def _is_closing(backend: RunningBackend, workspace_id: UUID) -> bool:
    async with backend.database.read() as session:
        account = await session.get(BillingAccountRow, workspace_id)
    return account is not None and account.closing_at is not None


async def _is_there(backend: RunningBackend, table: type[WorkspaceRow] | type[UserRow], row_id: UUID) -> bool:
    async with backend.database.read() as session:
        return await session.get(table, row_id) is not None


@dataclass(frozen=True, slots=True)
class _Sole:
    """Someone with cards in two workspaces that nobody else belongs to: their own, and an organization."""

    person: Person
    organization: Person
    handle: str


async def _sole_owner(backend: RunningBackend) -> _Sole:
    person, handle = await backend.sign_up(), f"sole-{uuid4().hex[:10]}"
    organization = replace(person, workspace_id=await new_organization(backend, handle, owner=person))
    await backend.add_card(person)
    await backend.add_card(organization)
    # the worker's own looks at the new cards must not meet an outage
    await settled(backend.database)
    return _Sole(person, organization, handle)


async def _delete_organization(backend: RunningBackend, sole: _Sole) -> list[str]:
    given = {"workspaceId": sole.organization.workspace, "confirmHandle": sole.handle}
    answer = await backend.api.query(DELETE_WORKSPACE, {"input": given}, token=sole.person.token)
    return [error["code"] for error in answer["deleteWorkspace"]["userErrors"]]


async def _recharge(backend: RunningBackend, workspace: Person) -> list[str]:
    return [error["code"] for error in (await backend.recharge(workspace))["userErrors"]]


async def test_what_an_account_takes_along_stays_closed_when_its_own_deletion_gives_up(
    own_backend: RunningBackend,
) -> None:
    backend = own_backend
    sole = await _sole_owner(backend)
    await backend.sandbox.fail("error_500", "/v1/customers/.*", method="DELETE", times=_EACH_TRY)
    [error] = await delete_account(backend, sole.person)
    assert "goes on by itself" in error["message"]
    customer = await _customer(backend, sole.organization.workspace_id)
    await backend.sandbox.fail("error_500", f"/v1/customers/{customer}.*", method="GET", times=_EACH_TRY)

    assert await _delete_organization(backend, sole) == ["PAYMENT_UNAVAILABLE"]

    assert await _is_closing(backend, sole.organization.workspace_id)
    assert await _recharge(backend, sole.organization) == ["CONFLICT"]
    assert await delete_account(backend, sole.person) == []
    assert not await _is_there(backend, WorkspaceRow, sole.organization.workspace_id)


async def test_an_organization_on_its_way_stays_closed_when_the_account_gives_up(own_backend: RunningBackend) -> None:
    backend = own_backend
    sole = await _sole_owner(backend)
    await backend.sandbox.fail("error_500", "/v1/customers/.*", method="DELETE", times=_EACH_TRY)
    assert await _delete_organization(backend, sole) == ["PAYMENT_UNAVAILABLE"]
    customer = await _customer(backend, sole.person.workspace_id)
    await backend.sandbox.fail("error_500", f"/v1/customers/{customer}.*", method="GET", times=_EACH_TRY)

    [error] = await delete_account(backend, sole.person)

    assert "Nothing was deleted" in error["message"]
    assert await _recharge(backend, sole.organization) == ["CONFLICT"]
    assert await _recharge(backend, sole.person) == []
    assert await _delete_organization(backend, sole) == []
    assert not await _is_there(backend, WorkspaceRow, sole.organization.workspace_id)
    assert await _is_there(backend, UserRow, sole.person.user_id)


async def test_who_asks_again_past_the_point_of_no_return_is_not_told_to_stay(own_backend: RunningBackend) -> None:
    backend = own_backend
    owner, member = await backend.sign_up(), await backend.sign_up()
    await backend.add_card(owner)
    await backend.sandbox.fail("error_500", "/v1/customers/.*", method="DELETE", times=_EACH_TRY)
    await delete_account(backend, owner)
    # as if they had slipped in past every check
    await new_organization(backend, f"late-{uuid4().hex[:10]}", owner=owner, member=member)

    assert await delete_account(backend, owner) == []
    assert not await _is_there(backend, UserRow, owner.user_id)


async def test_a_deletion_that_ended_while_the_worker_looked_is_left_at_its_end(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    owner = await backend.sign_up()
    organization = await new_organization(backend, f"ended-{uuid4().hex[:10]}", owner=owner)
    ended = uuid7()

    async def peek(_session: Session, deletion_id: UUID) -> DeletionRow:
        return DeletionRow(id=deletion_id, user_id=None, workspace_id=organization, requested_by=owner.user_id)

    monkeypatch.setattr("app.store.deletions.find", peek)
    await deletions.resume_deletion(backend.parts.flow_context, backend.parts.runtime.keys, ended)

    assert await _is_there(backend, WorkspaceRow, organization)
    assert not await _is_closing(backend, organization)
    async with backend.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(DeletionRow)) == 0


# ------------------------------------------------------------------ in the middle of one


@dataclass
class _Gate:
    """A gateway that waits at its first look for a customer until it is let through; then it goes on, or can't be reached."""

    gateway: Any
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    let_through: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.gateway, name)

    async def wallet(self, customer_id: str) -> Wallet:
        """Wait, then ask."""
        self.reached.set()
        await self.let_through.wait()
        if self.fails:
            raise GatewayUnavailable("away")
        return await self.gateway.wallet(customer_id)


def _gated(backend: RunningBackend, *, fails: bool = False) -> tuple[FlowContext, _Gate]:
    flow_context = backend.parts.flow_context
    gate = _Gate(flow_context.gateway, fails=fails)
    return replace(flow_context, gateway=gate), gate


async def test_a_deletion_that_stops_opens_whatever_any_of_its_calls_closed(own_backend: RunningBackend) -> None:
    backend = own_backend
    person, keys = await backend.sign_up(), backend.parts.runtime.keys
    await backend.add_card(person)
    (first, first_gate), (second, second_gate) = _gated(backend, fails=True), _gated(backend)
    one = asyncio.create_task(deletions.delete_account(first, keys, person.user_id))
    await first_gate.reached.wait()
    organization = await new_organization(backend, f"between-{uuid4().hex[:10]}", owner=person)
    other = asyncio.create_task(deletions.delete_account(second, keys, person.user_id))
    await second_gate.reached.wait()
    assert await _is_closing(backend, organization)

    first_gate.let_through.set()
    with pytest.raises(Exception, match="Nothing was deleted"):
        await one
    second_gate.let_through.set()
    with pytest.raises(Exception, match="Nothing was deleted"):
        await other

    assert not await _is_closing(backend, organization)
    assert not await _is_closing(backend, person.workspace_id)
    async with backend.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(DeletionRow)) == 0


@pytest.mark.parametrize("becomes", ["ADMIN", None])
async def test_who_is_no_owner_any_more_deletes_no_organization(
    own_backend: RunningBackend, becomes: str | None
) -> None:
    backend = own_backend
    former, owner, handle = await backend.sign_up(), await backend.sign_up(), f"shared-{uuid4().hex[:10]}"
    organization = await new_organization(backend, handle, owner=former, owner_2=owner)
    await backend.add_card(replace(owner, workspace_id=organization))
    flow_context, gate = _gated(backend)

    async def authorize(session: Session) -> WorkspaceRow:
        workspace = await session.get(WorkspaceRow, organization)
        assert workspace is not None
        return workspace

    keys = backend.parts.runtime.keys
    deleting = asyncio.create_task(deletions.delete_workspace(flow_context, keys, former.user_id, authorize))
    await gate.reached.wait()

    async def take_away(session: Session) -> None:
        theirs = (MembershipRow.workspace_id == organization) & (MembershipRow.user_id == former.user_id)
        if becomes is None:
            row = await session.get(MembershipRow, (organization, former.user_id))
            await session.delete(row)
        else:
            await session.execute(update(MembershipRow).where(theirs).values(role=becomes))

    await transact(backend.database, take_away)
    gate.let_through.set()

    with pytest.raises(Exception, match="you are not an owner any more"):
        await deleting
    assert await _is_there(backend, WorkspaceRow, organization)
    assert not await _is_closing(backend, organization)


async def test_leaving_with_ones_account_is_in_the_log_with_the_role_and_so_are_invitations_that_end(
    own_backend: RunningBackend,
) -> None:
    backend = own_backend
    owner, admin = await backend.sign_up(), await backend.sign_up()
    organization = await new_organization(backend, f"log-{uuid4().hex[:10]}", owner=owner, admin=admin)
    # without a seat an admin may not invite
    await subscribe(backend.database, organization, choice_of(backend.parts.runtime.catalog, "team", 3))
    given = {"workspaceId": as_workspace(organization), "emailAddress": "someone@example.com", "role": "ADMIN"}
    await backend.api.query(mutation("inviteMember"), {"input": given}, token=admin.token)

    assert await delete_account(backend, admin) == []

    async def told() -> list[AuditEventRow]:
        async with backend.database.read() as session:
            events = select(AuditEventRow).where(AuditEventRow.workspace_id == organization)
            return list((await session.scalars(events.order_by(AuditEventRow.at, AuditEventRow.id))).all())

    left, revoked = (await eventually(told))[-2:]
    assert (left.action, left.detail) == ("member.left", {"before": {"role": "ADMIN"}, "after": {"role": None}})
    assert revoked.action == "invitation.revoked"
    assert revoked.detail is not None
    assert revoked.detail["before"]["role"] == "ADMIN"
