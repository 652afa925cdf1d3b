"""Deleting an organization, and deletions that a crash cut short."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from app.db.engine import Session, no_faults
from app.db.tables.accounts import DeletionRow, UserRow
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from tests.deletion.zone import (
    DELETE_ACCOUNT,
    DELETE_WORKSPACE,
    VIEWER,
    as_workspace,
    handle_of,
    mailed_code,
    new_organization,
    rows_naming,
)
from tests.support.client import eventually
from tests.support.house import Person, RunningHouse


async def _delete(house: RunningHouse, person: Person, workspace: str, handle: str) -> list[str]:
    given = {"workspaceId": workspace, "confirmHandle": handle}
    answer = await house.api.query(DELETE_WORKSPACE, {"input": given}, token=person.token)
    return [error["code"] for error in answer["deleteWorkspace"]["userErrors"]]


async def test_an_organization_is_erased_and_its_people_stay(own_house: RunningHouse) -> None:
    house, word = own_house, uuid4().hex[:12]
    owner, member = await house.sign_up(), await house.sign_up()
    organization = await new_organization(house, word, owner=owner, member=member)

    assert await _delete(house, owner, as_workspace(organization), word) == []

    assert await rows_naming(house, [word]) == []
    for person in (owner, member):
        assert len((await house.api.query(VIEWER, token=person.token))["viewer"]["workspaces"]) == 1


async def test_only_owners_delete_an_organization_and_only_by_its_handle(house: RunningHouse) -> None:
    handle = f"kept-{uuid4().hex[:10]}"
    owner, admin, member, stranger = [await house.sign_up() for _ in range(4)]
    organization = await new_organization(house, handle, owner=owner, admin=admin, member=member)
    given = {"input": {"workspaceId": as_workspace(organization), "confirmHandle": handle}}

    refusals = [
        await house.api.refused(DELETE_WORKSPACE, given, token=person.token) for person in (admin, member, stranger)
    ]
    assert refusals == ["FORBIDDEN", "FORBIDDEN", "NOT_FOUND"]
    assert await house.api.refused(DELETE_WORKSPACE, given) == "UNAUTHENTICATED"
    assert await _delete(house, owner, as_workspace(organization), "something-else") == ["INVALID_INPUT"]
    async with house.database.read() as session:
        kept = await session.get(WorkspaceRow, organization)
    assert kept is not None


async def test_a_personal_workspace_goes_only_with_its_account(house: RunningHouse) -> None:
    person = await house.sign_up()
    handle = await handle_of(house, person)
    assert await _delete(house, person, person.workspace, handle) == ["INVALID_INPUT"]
    assert (await house.api.query(VIEWER, token=person.token))["viewer"] is not None


@pytest.mark.parametrize("point", ["deletion.begin:after-commit", "deletion.erase:before-commit"])
async def test_a_deletion_cut_short_is_gone_on_with_by_the_worker(own_house: RunningHouse, point: str) -> None:
    house = own_house
    person = await house.sign_up()
    await house.add_card(person)
    given = {"confirmHandle": await handle_of(house, person), "code": await mailed_code(house, person)}

    def crash(passed: str) -> None:
        if passed == point:
            raise RuntimeError("cut short")

    house.database.fault = crash
    answer = (await house.api.send(DELETE_ACCOUNT, {"input": given}, token=person.token)).json()
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    house.database.fault = no_faults

    async def overdue(session: Session) -> None:
        await session.execute(update(DeletionRow).values(next_look_at=session.real_now - timedelta(seconds=1)))

    await transact(house.database, overdue)

    async def is_gone() -> bool:
        async with house.database.read() as session:
            under_way = await session.scalar(select(func.count()).select_from(DeletionRow))
            return await session.get(UserRow, person.user_id) is None and under_way == 0

    assert await eventually(is_gone)
    assert await house.sandbox.listed("/v1/customers") == []
