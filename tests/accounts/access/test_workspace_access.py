"""Who may do what in a workspace."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from app.accounts.access.api_keys import create_workspace_key, revoke_workspace_key
from app.accounts.access.callers import ANONYMOUS, Caller, KeyCaller, require_user
from app.accounts.access.permissions import ROLE_PERMISSIONS, ApiScope, WorkspacePermission, WorkspaceRole
from app.accounts.access.workspace_access import (
    WorkspaceAccess,
    refusals_of,
    workspace_by_external_id,
    workspace_by_handle,
    workspace_for,
)
from app.db.engine import Database, Session
from app.db.reads import Reads
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.errors import Forbidden, NotFound, Unauthenticated
from app.ids import uuid7
from app.store import workspaces as workspace_store
from tests.support.accounts import Person, new_person

P = WorkspacePermission


def _service_key(*scopes: ApiScope) -> KeyCaller:
    return KeyCaller(uuid4(), None, "a server", frozenset(scopes))


async def _organization(database: Database, *members: tuple[Person, WorkspaceRole]) -> UUID:
    workspace_id = uuid7()

    async def make(session: Session) -> None:
        session.add(
            WorkspaceRow(
                id=workspace_id,
                kind="ORGANIZATION",
                name="An organization",
                handle=f"org-{workspace_id.hex}",
                created_by=members[0][0].user.id,
                created_at=session.now,
                version=1,
            )
        )
        await session.flush()
        for person, role in members:
            session.add(
                MembershipRow(workspace_id=workspace_id, user_id=person.user.id, role=role, joined_at=session.now)
            )

    await transact(database, make)
    return workspace_id


async def _access(
    database: Database,
    caller: Caller,
    workspace_id: UUID,
    *,
    permission: P | None = None,
    scope: ApiScope | None = None,
) -> WorkspaceAccess:
    async with database.read() as session:
        return await workspace_for(session, caller, workspace_id, permission=permission, scope=scope)


def test_billing_its_log_and_its_keys_are_the_owners_and_members_below_them_the_admins() -> None:
    assert ROLE_PERMISSIONS[WorkspaceRole.OWNER] == set(P)
    assert ROLE_PERMISSIONS[WorkspaceRole.ADMIN] == {P.MANAGE_MEMBERS}
    assert ROLE_PERMISSIONS[WorkspaceRole.MEMBER] == set()


@pytest.mark.parametrize("role", WorkspaceRole)
async def test_a_member_has_the_permissions_of_their_role_and_no_other(database: Database, role: WorkspaceRole) -> None:
    person = await new_person(database)
    workspace_id = await _organization(database, (person, role))
    seen = await _access(database, person.caller, workspace_id)
    assert (seen.workspace.id, seen.role, seen.permissions) == (workspace_id, role, ROLE_PERMISSIONS[role])
    for permission in P:
        if permission in ROLE_PERMISSIONS[role]:
            await _access(database, person.caller, workspace_id, permission=permission)
        else:
            with pytest.raises(Forbidden):
                await _access(database, person.caller, workspace_id, permission=permission)


async def test_what_belongs_to_others_is_not_found_like_what_does_not_exist(database: Database) -> None:
    person, other = await new_person(database), await new_person(database)
    for workspace_id in (other.user.personal_workspace_id, uuid4()):
        for permission in (None, P.VIEW_BILLING):
            with pytest.raises(NotFound):
                await _access(database, person.caller, workspace_id, permission=permission)
        with pytest.raises(NotFound):
            await _access(database, person.caller, workspace_id, scope=ApiScope.USAGE_WRITE)


async def test_nobody_must_sign_in_first_whatever_the_workspace(database: Database) -> None:
    person = await new_person(database)
    for workspace_id in (person.user.personal_workspace_id, uuid4()):
        with pytest.raises(Unauthenticated):
            await _access(database, ANONYMOUS, workspace_id)


async def test_no_person_passes_where_a_keys_scope_is_asked_for(database: Database) -> None:
    person = await new_person(database)
    for scope in ApiScope:
        with pytest.raises(Forbidden):
            await _access(database, person.caller, person.user.personal_workspace_id, scope=scope)


@pytest.mark.parametrize("scope", ApiScope)
async def test_a_service_key_reaches_every_workspace_within_its_scopes(database: Database, scope: ApiScope) -> None:
    person = await new_person(database)
    workspace_id = person.user.personal_workspace_id
    seen = await _access(database, _service_key(scope), workspace_id, scope=scope)
    assert (seen.workspace.id, seen.role) == (workspace_id, None)
    with pytest.raises(Forbidden):
        await _access(database, _service_key(*(set(ApiScope) - {scope})), workspace_id, scope=scope)


@pytest.mark.parametrize(
    ("scopes", "permissions"),
    [
        ((), set[P]()),
        ((ApiScope.BILLING_READ,), {P.VIEW_BILLING}),
        ((ApiScope.BILLING_WRITE,), {P.VIEW_BILLING, P.MANAGE_BILLING}),
        ((ApiScope.USAGE_WRITE, ApiScope.CREDITS_WRITE), set[P]()),
        ((ApiScope.OPERATOR,), {P.VIEW_BILLING}),
        (tuple(ApiScope), {P.VIEW_BILLING, P.MANAGE_BILLING}),
    ],
)
async def test_a_key_has_the_permissions_of_its_scopes(
    database: Database, scopes: tuple[ApiScope, ...], permissions: set[P]
) -> None:
    person = await new_person(database)
    workspace_id = person.user.personal_workspace_id
    seen = await _access(database, _service_key(*scopes), workspace_id)
    assert seen.permissions == permissions
    for permission in set(P) - permissions:
        with pytest.raises(Forbidden):
            await _access(database, _service_key(*scopes), workspace_id, permission=permission)


async def test_a_workspaces_own_key_reaches_no_other_workspace(database: Database) -> None:
    mine, other = await new_person(database), await new_person(database)
    key = KeyCaller(uuid4(), mine.user.personal_workspace_id, "mine", frozenset({ApiScope.BILLING_READ}))
    seen = await _access(database, key, mine.user.personal_workspace_id, permission=P.VIEW_BILLING)
    assert seen.workspace.id == mine.user.personal_workspace_id
    with pytest.raises(NotFound):
        await _access(database, key, other.user.personal_workspace_id)


async def test_a_service_key_finds_no_workspace_that_does_not_exist(database: Database) -> None:
    with pytest.raises(NotFound):
        await _access(database, _service_key(*ApiScope), uuid4())


async def test_what_needs_a_person_is_for_neither_keys_nor_nobody(database: Database) -> None:
    person = await new_person(database)
    assert require_user(person.caller) == person.caller
    with pytest.raises(Forbidden):
        require_user(_service_key(*ApiScope))
    with pytest.raises(Unauthenticated):
        require_user(ANONYMOUS)


async def test_a_workspace_is_found_by_handle_without_regard_to_case_by_who_belongs_to_it(database: Database) -> None:
    person, other = await new_person(database), await new_person(database)
    reads = Reads(database)
    found = await workspace_by_handle(reads, person.caller, person.user.handle.upper())
    assert found.workspace.id == person.user.personal_workspace_id
    for caller, handle in ((other.caller, person.user.handle), (person.caller, "nobody-has-this-one")):
        with pytest.raises(NotFound):
            await workspace_by_handle(reads, caller, handle)
    with pytest.raises(Unauthenticated):
        await workspace_by_handle(reads, ANONYMOUS, person.user.handle)


async def test_a_workspace_is_found_by_external_id_by_service_keys_only(database: Database) -> None:
    person = await new_person(database)
    workspace_id, external_id = person.user.personal_workspace_id, f"crm-{uuid4()}"
    reads = Reads(database)
    await transact(database, lambda session: workspace_store.set_external_id(session, workspace_id, external_id))
    found = await workspace_by_external_id(reads, _service_key(), external_id)
    assert found.workspace.id == workspace_id
    with pytest.raises(NotFound):
        await workspace_by_external_id(reads, _service_key(), "unknown")
    own_key = KeyCaller(uuid4(), workspace_id, "mine", frozenset())
    for caller in (person.caller, own_key):
        with pytest.raises(Forbidden):
            await workspace_by_external_id(reads, caller, external_id)
    with pytest.raises(Unauthenticated):
        await workspace_by_external_id(reads, ANONYMOUS, external_id)


async def test_a_checked_membership_can_not_change_before_the_transaction_ends(database: Database) -> None:
    owner = await new_person(database)
    workspace_id = await _organization(database, (owner, WorkspaceRole.OWNER))
    checked, ended = asyncio.Event(), asyncio.Event()

    async def spend(session: Session) -> None:
        await workspace_for(session, owner.caller, workspace_id, permission=P.MANAGE_BILLING, lock=True)
        checked.set()
        await ended.wait()

    async def demote(session: Session) -> None:
        await session.execute(text("SET LOCAL lock_timeout = '100ms'"))
        await session.execute(
            update(MembershipRow).where(MembershipRow.workspace_id == workspace_id).values(role=WorkspaceRole.MEMBER)
        )

    spending = asyncio.create_task(transact(database, spend))
    await checked.wait()
    try:
        with pytest.raises(Exception, match="lock timeout"):
            await transact(database, demote)
    finally:
        ended.set()
        await spending
    await transact(database, demote)
    with pytest.raises(Forbidden):
        await transact(
            database,
            lambda session: workspace_for(session, owner.caller, workspace_id, permission=P.MANAGE_BILLING, lock=True),
        )


async def test_many_callers_are_refused_what_each_alone_would_be(database: Database) -> None:
    owner, admin, stranger = [await new_person(database) for _ in range(3)]
    organization = await _organization(database, (owner, WorkspaceRole.OWNER), (admin, WorkspaceRole.ADMIN))
    callers: list[Caller] = [
        ANONYMOUS,
        owner.caller,
        replace(owner.caller, session_id=uuid7()),
        admin.caller,
        stranger.caller,
        replace(stranger.caller, session_id=uuid7()),
        _service_key(ApiScope.OPERATOR),
        _service_key(ApiScope.USAGE_WRITE),
        KeyCaller(uuid4(), organization, "a key", frozenset({ApiScope.BILLING_READ})),
        KeyCaller(uuid4(), uuid7(), "another's key", frozenset({ApiScope.BILLING_READ})),
    ]

    async with database.read() as session:
        refusals = await refusals_of(session, callers, organization, P.VIEW_BILLING)
        alone: dict[Caller, type[Exception]] = {}
        for caller in callers:
            try:
                await workspace_for(session, caller, organization, permission=P.VIEW_BILLING)
            except (Unauthenticated, NotFound, Forbidden) as refusal:
                alone[caller] = type(refusal)

    assert {caller: type(refusal) for caller, refusal in refusals.items()} == alone
    assert len(alone) == 6


async def _workspace_key(database: Database, owner: Person) -> KeyCaller:
    workspace_id = owner.user.personal_workspace_id
    row, _ = await transact(
        database,
        lambda session: create_workspace_key(session, owner.caller, workspace_id, "CI", [ApiScope.BILLING_WRITE], None),
    )
    return KeyCaller(row.id, workspace_id, row.name, frozenset({ApiScope.BILLING_WRITE}))


async def test_a_key_revoked_after_the_request_came_changes_nothing_any_more(database: Database) -> None:
    owner = await new_person(database)
    workspace_id, key = owner.user.personal_workspace_id, await _workspace_key(database, owner)

    async def change(session: Session) -> None:
        await workspace_for(session, key, workspace_id, permission=P.MANAGE_BILLING, lock=True)

    await transact(database, change)
    await transact(database, lambda session: revoke_workspace_key(session, owner.caller, workspace_id, key.key_id))
    with pytest.raises(Unauthenticated):
        await transact(database, change)


async def test_a_checked_key_can_not_be_revoked_before_the_transaction_ends(database: Database) -> None:
    owner = await new_person(database)
    workspace_id, key = owner.user.personal_workspace_id, await _workspace_key(database, owner)
    checked, ended = asyncio.Event(), asyncio.Event()

    async def spend(session: Session) -> None:
        await workspace_for(session, key, workspace_id, permission=P.MANAGE_BILLING, lock=True)
        checked.set()
        await ended.wait()

    async def revoke(session: Session) -> None:
        await session.execute(text("SET LOCAL lock_timeout = '100ms'"))
        await revoke_workspace_key(session, owner.caller, workspace_id, key.key_id)

    spending = asyncio.create_task(transact(database, spend))
    await checked.wait()
    try:
        with pytest.raises(Exception, match="lock timeout"):
            await transact(database, revoke)
    finally:
        ended.set()
        await spending
    await transact(database, revoke)


async def test_a_servers_scope_is_good_on_a_servers_key_only(database: Database) -> None:
    person = await new_person(database)
    workspace_id = person.user.personal_workspace_id
    scopes = frozenset({ApiScope.CREDITS_WRITE, ApiScope.OPERATOR, ApiScope.USAGE_WRITE})
    own_key = KeyCaller(uuid4(), workspace_id, "mine", scopes)
    async with database.read() as session:
        for scope in scopes:
            with pytest.raises(Forbidden):
                await workspace_for(session, own_key, workspace_id, scope=scope)
        assert (await workspace_for(session, own_key, workspace_id)).permissions == frozenset()
