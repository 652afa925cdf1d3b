"""Who deletes their account is taken out of the customers of organizations that stay, before anything here is erased."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.accounts.access.permissions import WorkspaceRole
from app.clock import Clock
from app.db.engine import Session
from app.db.tables.deletions import DeletionRow
from app.db.tables.people import UserRow
from app.db.unit_of_work import transact
from app.flows.deletion import deletions
from app.flows.flow_context import FlowContext
from app.store import customers as customer_store
from app.store import memberships as membership_store
from tests.flows.deletion.steps import delete_account
from tests.flows.provider.customers import (
    account_of,
    billed_to,
    carried,
    customer_of,
    no_job,
    paying_organization,
    settled_customer,
)
from tests.support.members import let_in
from tests.support.running_backend import Person, RunningBackend

# the SDK tries each request once more by itself
_EACH_TRY = 2


async def _organization(backend: RunningBackend) -> tuple[Person, Person, Person]:
    """An organization that two people own; the customer has the first one's address. The first, the second, and who pays."""
    first, second = await backend.sign_up(), await backend.sign_up()
    organization = await paying_organization(backend, owner=first)
    await let_in(backend.database, organization.workspace_id, second.user_id, WorkspaceRole.OWNER)
    await settled_customer(backend, organization)
    assert (await carried(backend, organization))[1] == first.address
    return first, second, organization


async def _is_there(backend: RunningBackend, person: Person) -> bool:
    async with backend.database.read() as session:
        return await session.get(UserRow, person.user_id) is not None


async def _resume(backend: RunningBackend) -> None:
    """What the worker does with the only deletion under way, once it is due."""
    async with backend.database.read() as session:
        deletion_id = await session.scalar(select(DeletionRow.id))
    assert deletion_id is not None
    await deletions.resume_deletion(backend.parts.flow_context, backend.parts.runtime.keys, deletion_id)


async def test_when_the_account_is_gone_its_address_is_gone_at_stripe_too(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    first, second, organization = await _organization(backend)
    no_job(monkeypatch)

    assert await delete_account(backend, first) == []

    assert not await _is_there(backend, first)
    assert (await carried(backend, organization))[1] == second.address
    assert first.address not in {each["email"] for each in await backend.sandbox.listed("/v1/customers")}
    assert (await account_of(backend, organization)).customer_owner_ids == [second.user_id]
    paid = await backend.recharge(replace(organization, token=second.token))
    assert paid["userErrors"] == []
    assert (await billed_to(backend, organization))[1] == second.address


async def test_the_worker_leaves_customers_to_the_deletion_that_writes_them(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, organization = await _organization(own_backend)
    rewrite, due = deletions.rewrite_customers, list[UUID]()

    async def rewrite_later(context: FlowContext, user_id: UUID, deleted: Collection[UUID]) -> None:
        async with context.database.read() as session:
            due.extend(await customer_store.due(session, limit=10))
        await rewrite(context, user_id, deleted)

    monkeypatch.setattr(deletions, "rewrite_customers", rewrite_later)

    assert await delete_account(own_backend, first) == []

    assert organization.workspace_id not in due
    assert (await carried(own_backend, organization))[1] == second.address


async def test_who_left_before_is_taken_out_as_well(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    first, second, organization = await _organization(backend)
    no_job(monkeypatch)

    async def leave(session: Session) -> None:
        await membership_store.remove(session, organization.workspace_id, first.user_id)

    await transact(backend.database, leave)
    assert (await carried(backend, organization))[1] == first.address

    assert await delete_account(backend, first) == []

    assert (await carried(backend, organization))[1] == second.address


async def test_nothing_is_deleted_while_the_organizations_customer_can_not_be_reached(
    own_backend: RunningBackend,
) -> None:
    backend = own_backend
    first, _, organization = await _organization(backend)
    path = f"/v1/customers/{await customer_of(backend, organization)}.*"
    await backend.sandbox.fail("error_500", path, method="GET", times=_EACH_TRY)

    [error] = await delete_account(backend, first)

    assert error["code"] == "PAYMENT_UNAVAILABLE"
    assert "Nothing was deleted" in error["message"]
    assert await _is_there(backend, first)
    assert (await carried(backend, organization))[1] == first.address
    assert await delete_account(backend, first) == []


async def test_a_deletion_that_can_not_write_the_organizations_customer_goes_on_once_it_can(
    own_backend: RunningBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = own_backend
    first, second, organization = await _organization(backend)
    no_job(monkeypatch)
    await backend.sandbox.fail(
        "error_500", f"/v1/customers/{await customer_of(backend, organization)}$", times=_EACH_TRY
    )

    [error] = await delete_account(backend, first)

    assert error["code"] == "PAYMENT_UNAVAILABLE"
    assert "goes on by itself" in error["message"]
    assert await _is_there(backend, first)
    # the write that failed may still arrive: nothing is erased until it can't any more
    with pytest.raises(Exception, match="goes on by itself"):
        await _resume(backend)
    assert await _is_there(backend, first)
    account = await account_of(backend, organization)
    assert first.user_id in account.customer_owner_ids

    lapsed = account.customer_claimed_until

    def later(_clock: Clock) -> datetime:
        assert lapsed is not None
        return lapsed

    monkeypatch.setattr(Clock, "real_now", later)
    await _resume(backend)

    assert not await _is_there(backend, first)
    assert (await carried(backend, organization))[1] == second.address
    async with backend.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(DeletionRow)) == 0
        assert await customer_store.naming(session, first.user_id, except_for=[]) == []


async def test_what_the_customer_of_a_deleted_account_carried_is_forgotten(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.add_card(person)
    former = await customer_of(backend, person)

    assert await delete_account(backend, person) == []

    account = await account_of(backend, person)
    kept = (account.customer_id, account.customer_digest, account.customer_owner_ids, account.customer_due_at)
    assert kept == (former, None, [], None)
